//! Post-renderer that holds a JupyterHub lab's charts to its DataLab policy.
