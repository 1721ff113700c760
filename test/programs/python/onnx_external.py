# onnx with external data: the file of the data is opened, appended to and closed again for each tensor.

import onnx
from onnx import TensorProto, helper, numpy_helper
from support import floats, main, require, same

SHAPES = {"w0": (1, 1000, 700), "w1": (2, 1000, 600), "w2": (3, 1000, 500)}


def save(folder):
    weights = [numpy_helper.from_array(floats(*what), name) for name, what in SHAPES.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:], weights)
    options = {"save_as_external_data": True, "all_tensors_to_one_file": True, "location": "ext.bin"}
    onnx.save_model(helper.make_model(graph), folder / "model.onnx", **options)


def check(folder):
    loaded = onnx.load(folder / "model.onnx")
    got = {weight.name: numpy_helper.to_array(weight) for weight in loaded.graph.initializer}
    require(list(got) == list(SHAPES), f"weights: {list(got)}")
    for name, what in SHAPES.items():
        same(name, got[name], floats(*what))
    require((folder / "ext.bin").stat().st_size >= 1800 * 1000 * 4, "ext.bin is too short")


main(save=save, check=check)
