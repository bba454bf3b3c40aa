// Helmyaml answers what the YAML and quantity code that Helm links makes of an input.
//
//	helmyaml yaml      each line {"yaml": text} → {"json": text, "error": null} as sigs.k8s.io/yaml reads it
//	helmyaml quantity  each line "500m" → {"canonical", "decimal", "error"} as apimachinery reads it
//
// Requests are JSON, one a line on stdin; answers follow in the same order.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

type document struct {
	JSON  *string `json:"json"`
	Error *string `json:"error"`
}

func readYAML(request json.RawMessage) (any, error) {
	var asked struct{ YAML string }
	if err := json.Unmarshal(request, &asked); err != nil {
		return nil, err
	}
	converted, err := yaml.YAMLToJSON([]byte(asked.YAML))
	if err != nil {
		return document{Error: message(err)}, nil
	}
	text := string(converted)
	return document{JSON: &text}, nil
}

type quantity struct {
	Canonical *string `json:"canonical"` // what Kubernetes writes back
	Decimal   *string `json:"decimal"`   // the exact value, without suffix or exponent
	Error     *string `json:"error"`
}

func readQuantity(request json.RawMessage) (any, error) {
	var asked string
	if err := json.Unmarshal(request, &asked); err != nil {
		return nil, err
	}
	parsed, err := resource.ParseQuantity(asked)
	if err != nil {
		return quantity{Error: message(err)}, nil
	}
	canonical, decimal := parsed.String(), parsed.AsDec().String()
	return quantity{Canonical: &canonical, Decimal: &decimal}, nil
}

func message(err error) *string {
	text := err.Error()
	return &text
}

func serve(answer func(json.RawMessage) (any, error)) error {
	requests, answers := json.NewDecoder(bufio.NewReader(os.Stdin)), bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(answers)
	encoder.SetEscapeHTML(false)
	for requests.More() {
		var request json.RawMessage
		if err := requests.Decode(&request); err != nil {
			return err
		}
		given, err := answer(request)
		if err != nil {
			return err
		}
		if err := encoder.Encode(given); err != nil {
			return err
		}
	}
	return answers.Flush()
}

func main() {
	modes := map[string]func(json.RawMessage) (any, error){"yaml": readYAML, "quantity": readQuantity}
	if len(os.Args) != 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: helmyaml yaml|quantity, with JSON requests on stdin")
		os.Exit(2)
	}
	if err := serve(modes[os.Args[1]]); err != nil {
		fmt.Fprintln(os.Stderr, "helmyaml:", err)
		os.Exit(1)
	}
}
