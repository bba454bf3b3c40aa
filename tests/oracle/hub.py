"""What a rendered JupyterHub would start: the pods and claims that the real KubeSpawner builds.

    hub.py hubs < stream            one line a hub: {hub, namespace, chart, groups}
    hub.py pods HUB --namespace NS --users JSON < stream
                                            one line a start: {hub, namespace, user, server, groups, profile,
                                            options, pod, pvc, error}

The stream is what `helm template` prints, post-rendered or not. The hub is the real JupyterHub application: it loads
the chart's own jupyterhub_config.py from the files, and with the environment, that the hub's Deployment gives its
container, keeps its users and groups in a database in memory, and starts servers by its own `User.spawn`. So every
hook runs where JupyterHub runs it. Only the edge is ours: Kubernetes takes the claim, and the start ends where the
pod would be created. Nothing reaches the network.
"""

import argparse
import ast
import asyncio
import base64
import contextlib
import itertools
import json
import logging
import os
import re
import socket
import sys
import tempfile
import urllib.request
from pathlib import Path

import yaml

HOME = "/usr/local/etc/jupyterhub"  # where the chart mounts the hub's configuration
# Tried in turn for a profile option that takes any value; the first that its `validation_regex` admits is used.
UNLISTED = ["registry.example.org/unlisted/image:1.0", "quay.io/jupyter/base-notebook:latest", "unlisted", "1"]
MOST_CHOICES = 64  # at most so many combinations of one profile's options


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads a plain `=`, which some charts' CRDs hold, as the string it is."""


Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)


class Stream:
    """The documents of a stream, by kind and name."""

    def __init__(self, text):
        # Streams without a hub, which may be large, need no parsing.
        documents = yaml.load_all(text, Loader) if "values.yaml" in text else ()
        self.documents = [d for d in documents if isinstance(d, dict) and "kind" in d]

    def of_kind(self, kind):
        return [d for d in self.documents if d["kind"] == kind]

    def files(self, kind, name):
        """The entries of a ConfigMap or Secret as bytes; None where the stream does not hold it."""
        for document in self.of_kind(kind):
            if document["metadata"]["name"] == name:
                data = document.get("data") or {}
                if kind == "ConfigMap":
                    binary, plain = document.get("binaryData") or {}, data
                else:
                    binary, plain = data, document.get("stringData") or {}
                return {k: base64.b64decode(v) for k, v in binary.items()} | {k: v.encode() for k, v in plain.items()}
        return None

    def hubs(self):
        for deployment in self.of_kind("Deployment"):
            if (deployment["metadata"].get("labels") or {}).get("component") == "hub":
                hub = Hub(self, deployment)
                if hub.values is not None:
                    yield hub


class Hub:
    """One hub of the stream: its Deployment, and the Secret of values that the Deployment mounts."""

    def __init__(self, stream, deployment):
        self.stream = stream
        pod = deployment["spec"]["template"]["spec"]
        self.container = next((c for c in pod["containers"] if c["name"] == "hub"), pod["containers"][0])
        self.volumes = {v["name"]: self.volume(v) for v in pod.get("volumes") or []}
        self.name, self.values = None, None
        for volume in pod.get("volumes") or []:
            text = (self.volumes[volume["name"]] or {}).get("values.yaml")
            if text and "secret" in volume and self.values is None:
                self.name, self.values = volume["secret"]["secretName"], yaml.load(text, Loader)
        release = (self.values or {}).get("Release") or {}
        self.namespace = deployment["metadata"].get("namespace") or release.get("Namespace") or "default"

    def volume(self, volume):
        """The files of a volume that the stream itself holds, else None."""
        for kind, key, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            if key in volume:
                files = self.stream.files(kind, volume[key][name])
                items = volume[key].get("items")
                return {i["path"]: files[i["key"]] for i in items if i["key"] in files} if files and items else files
        return None

    def groups(self):
        """The names that the hub's own code looks for: strings that it lists, or asks `in` of something."""
        code = list(((self.values.get("hub") or {}).get("extraConfig") or {}).values())
        for files in self.volumes.values():
            own = (files or {}).keys() - {"jupyterhub_config.py", "z2jh.py"}
            code += [files[name].decode() for name in own if name.endswith(".py")]
        named = []
        for text in code:
            with contextlib.suppress(SyntaxError):  # the hub itself will say so, when it is run
                for node in ast.walk(ast.parse(text)):
                    named += getattr(node, "elts", [])
                    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
                        named.append(node.left)
        return sorted({n.value for n in named if isinstance(n, ast.Constant) and isinstance(n.value, str)})

    def lay_out(self, root):
        """Writes the files that the hub's container would see, under `root`."""
        for mount in self.container.get("volumeMounts") or []:
            files = self.volumes.get(mount["name"])
            if files is None:
                continue
            target = root / mount["mountPath"].strip("/")
            if "subPath" in mount:
                files = {"": files[mount["subPath"]]} if mount["subPath"] in files else {}
            for name, content in files.items():
                path = target / name if name else target
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".py":
                    content = content.replace(HOME.encode(), str(root).encode() + HOME.encode())
                path.write_bytes(content)

    def environment(self):
        """The environment of the hub's container: its own, and the Services of its namespace."""
        found = {"POD_NAMESPACE": self.namespace}
        for service in self.stream.of_kind("Service"):
            name = service["metadata"]["name"].upper().replace("-", "_")
            for port in (service["spec"].get("ports") or [])[:1]:
                found |= {f"{name}_SERVICE_HOST": "10.0.0.1", f"{name}_SERVICE_PORT": str(port["port"])}
        for source in self.container.get("envFrom") or []:
            for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                if key in source:
                    for name, value in (self.stream.files(kind, source[key]["name"]) or {}).items():
                        found[source.get("prefix", "") + name] = value.decode()
        for entry in self.container.get("env") or []:
            found[entry["name"]] = self.variable(entry)
        return found

    def variable(self, entry):
        source = entry.get("valueFrom") or {}
        if (source.get("fieldRef") or {}).get("fieldPath") == "metadata.namespace":
            return self.namespace
        for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if key in source:
                files = self.stream.files(kind, source[key]["name"]) or {}
                return files.get(source[key]["key"], b"dummy").decode()
        return str(entry.get("value") or ("dummy" if source else ""))


class Built(BaseException):
    """Ends a start where its pod would be created. No `except Exception` of a hub catches it."""

    def __init__(self, namespace, pod):
        super().__init__(namespace)
        self.namespace, self.pod = namespace, pod


class Kubernetes:
    """The API as far as a start needs it: claims are taken, nothing else exists."""

    claim = None  # the last one taken: (namespace, claim)

    async def create_namespaced_persistent_volume_claim(self, namespace, body, **_):
        Kubernetes.claim = (namespace, body)

    async def create_namespaced_pod(self, namespace, body, **_):
        raise Built(namespace, body)

    async def create_namespace(self, body, **_):
        pass

    def __getattr__(self, call):
        from kubernetes_asyncio.client.rest import ApiException

        async def missing(*_, **__):
            raise ApiException(status=404, reason=f"{call}: nothing is there")

        return missing


def cut_off():
    """Takes the network and the API server away, before any code of the hub is loaded."""
    import kubespawner.spawner
    from jupyterhub.user import User
    from tornado.httpclient import AsyncHTTPClient

    def refuse(*_):
        raise OSError("the oracle has no network")

    socket.socket.connect = refuse
    urllib.request.urlretrieve = lambda url, filename=None, *_, **__: (filename, None)
    AsyncHTTPClient.configure = lambda *_, **__: None  # the chart asks for curl

    async def nothing(*_, **__):
        pass

    kubespawner.spawner.load_config = lambda **_: None
    kubespawner.spawner.shared_client = lambda *_, **__: Kubernetes()
    kubespawner.KubeSpawner._start_watching_pods = nothing
    kubespawner.KubeSpawner._start_watching_events = nothing
    kubespawner.KubeSpawner.events = property(lambda self: [])
    User.new_api_token = lambda *_, **__: "dummy"


def stand_in(config):
    """Called at the end of the hub's configuration: where its authenticator is not installed here, or refuses its own
    configuration, a plain one signs the users in."""
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator

    try:
        hub = JupyterHub(config=config)
        hub.authenticator_class(parent=hub)
    except Exception as error:
        print(f"a plain authenticator stands in, because of {describe(error)}", file=sys.stderr)
        kept = [name for name in config if name.endswith("Authenticator") and config[name].get("enable_auth_state")]
        config.Authenticator.enable_auth_state = bool(kept)
        config.JupyterHub.authenticator_class = Authenticator


async def application(root):
    """The real JupyterHub, initialized from the files under `root` but not listening."""
    from jupyterhub.app import JupyterHub

    sys.modules["datalab_oracle"] = sys.modules[__name__]
    path = Path(f"{root}{HOME}/jupyterhub_config.py")
    # The chart's file goes on to redefine `get_config`, so ask it first.
    asked, used = "datalab_config = get_config()", "import datalab_oracle; datalab_oracle.stand_in(datalab_config)"
    path.write_text(f"{asked}\n{path.read_text()}\n{used}\n")
    hub = JupyterHub.instance()
    await hub.initialize(
        [
            f"--config={path}",
            "--db=sqlite:///:memory:",
            "--log-level=ERROR",
            "--JupyterHub.pid_file=",
            "--JupyterHub.template_paths=[]",
        ]
    )
    return hub


class Starts:
    """Starts of servers on one hub."""

    def __init__(self, hub, options):
        self.hub, self.options = hub, options

    async def user(self, wanted):
        """Signs a user in: with the groups, the role and, where the hub keeps it, the auth state given."""
        from jupyterhub import orm, roles

        db = self.hub.db
        found = orm.User.find(db, wanted["name"])
        if found is None:
            found = orm.User(name=wanted["name"])
            db.add(found)
        found.admin = bool(wanted.get("admin"))
        found.groups = [orm.Group.find(db, g) or orm.Group(name=g) for g in wanted.get("groups") or []]
        db.commit()
        roles.assign_default_roles(db, entity=found)
        user = self.hub.users[found]
        keeps = self.hub.authenticator.enable_auth_state
        await user.save_auth_state(wanted.get("auth_state") if keeps else None)
        return user

    def spawner(self, user, server):
        """A new spawner, as for a server that never ran."""
        user.spawners.pop(server, None)
        spawner = user.get_spawner(server)
        spawner.orm_spawner.state = None
        for hook in self.options.without:
            setattr(spawner, hook, None)
        return spawner

    async def profiles(self, user, server):
        """The profiles that the hub offers this user, as the page that lists them would."""
        from jupyterhub.utils import maybe_future

        spawner = self.spawner(user, server)
        await spawner.run_auth_state_hook(await user.get_auth_state())
        listed = spawner.profile_list
        if callable(listed):
            listed = await maybe_future(listed(spawner))
        return spawner._get_initialized_profile_list(listed)

    async def of(self, wanted):
        """Every start that this user can make, as records."""
        server = wanted.get("server") or ""
        record = {"user": wanted["name"], "server": server, "groups": sorted(wanted.get("groups") or [])}
        failed = {"profile": None, "options": {}, "pod": None, "pvc": None}
        try:
            user = await self.user(wanted)
            profiles = await self.profiles(user, server)
        except (Exception, SystemExit) as error:
            yield record | failed | {"error": describe(error)}
            return
        for profile in profiles or [None]:
            for choices in combinations(profile, self.options.unlisted):
                chosen = {"profile": profile["slug"], **choices} if profile else {}
                record["profile"], record["options"] = chosen.get("profile"), choices
                yield record | await self.start(user, server, chosen)

    async def start(self, user, server, chosen):
        """One start: the pod and the claim as Kubernetes would be sent them, or why there is no pod."""
        self.spawner(user, server)
        Kubernetes.claim = None
        pod = error = None
        try:
            await user.spawn(server, chosen)
            error = "the start ended without a pod"
        except Built as built:
            pod = await as_sent(built.namespace, built.pod)
        except (Exception, SystemExit) as raised:
            error = describe(raised)
        pvc = await as_sent(*Kubernetes.claim) if Kubernetes.claim else None
        return {"pod": pod, "pvc": pvc, "error": error}


async def as_sent(namespace, built):
    """What the client sends for an object of its own, with the namespace that it is sent to."""
    from kubernetes_asyncio.client import ApiClient

    async with ApiClient() as client:
        sent = client.sanitize_for_serialization(built)
    sent["metadata"].setdefault("namespace", namespace)
    return sent


def describe(error):
    """One sentence: what the user would be told, else the error itself."""
    return getattr(error, "jupyterhub_message", None) or f"{type(error).__name__}: {error}"


def combinations(profile, unlisted):
    """The choices that the profile's options leave: first none, then those that differ least from it."""
    picks = []
    for name, option in ((profile or {}).get("profile_options") or {}).items():
        choices = option.get("choices") or {}
        pick = [{}] if choices else []
        pick += [{name: choice} for choice in choices if not choices[choice].get("default")]
        free = option.get("unlisted_choice") or {}
        if free.get("enabled"):
            fits = (v for v in unlisted if re.match(free.get("validation_regex") or "", v))
            value = next(fits, None)
            if value is None:
                print(f"no value at hand fits the unlisted choice of {profile['slug']}.{name}", file=sys.stderr)
            else:
                pick.append({f"{name}--unlisted-choice": value})
        picks.append(pick)
    every = itertools.islice(itertools.product(*picks), 100 * MOST_CHOICES)
    merged = [{k: v for choice in combination for k, v in choice.items()} for combination in every]
    return sorted(merged, key=len)[:MOST_CHOICES]


async def pods(hub, options, emit):
    cut_off()
    with tempfile.TemporaryDirectory(prefix="datalab-hub-") as root:
        os.environ.update(hub.environment())
        hub.lay_out(Path(root))
        os.chdir(root)
        starts = Starts(await application(root), options)
        for wanted in json.loads(options.users):
            async for record in starts.of(wanted):
                emit({"hub": hub.name, "namespace": hub.namespace, **record})
        os.chdir("/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("hubs", help="list the hubs of the stream on stdin")
    build = commands.add_parser("pods", help="build what one of them would start")
    build.add_argument("hub", help="name of the hub's Secret")
    build.add_argument("--namespace", required=True)
    build.add_argument("--users", required=True, help='JSON: [{"name", "server", "groups", "admin", "auth_state"}]')
    build.add_argument("--without", action="append", default=[], help="a hook to leave out, as in pre_spawn_hook")
    build.add_argument("--unlisted", action="append", default=[], help="a value to try for unlisted choices")
    options = parser.parse_args()

    out = sys.stdout
    emit = lambda record: print(json.dumps(record), file=out, flush=True)  # noqa: E731
    stream = Stream(sys.stdin.read())
    with contextlib.redirect_stdout(sys.stderr):  # hubs print what they load
        if options.command == "hubs":
            for hub in stream.hubs():
                known = {"hub": hub.name, "namespace": hub.namespace, "groups": hub.groups()}
                emit(known | {"chart": hub.values["Chart"]["Version"]})
            return
        options.unlisted += UNLISTED
        logging.getLogger("kubernetes_asyncio").setLevel(logging.ERROR)
        for hub in stream.hubs():
            if (hub.name, hub.namespace) == (options.hub, options.namespace):
                asyncio.run(pods(hub, options, emit))
                return
    sys.exit(f"no hub {options.hub} of namespace {options.namespace} is in this stream")


if __name__ == "__main__":
    main()
