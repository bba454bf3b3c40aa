//! The DataLab policy: document, rules, requirements, pod writer.
