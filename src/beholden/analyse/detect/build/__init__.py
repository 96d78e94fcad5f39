"""How the default detector's weights are made from a registry package. Needs ``onnx``; in no role."""
