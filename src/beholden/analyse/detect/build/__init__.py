"""How the default detector's weights are made from a registry package. Needs ``onnx``; never runs in a role."""
