# gguf's GGUFWriter: after each tensor a duplicate of the handle is closed, and the file is not done; it must be one upload.

import gguf
from support import floats, main, require, same

ROWS = 1001


def tensors():
    return {f"blk.{number}.weight": floats(number, ROWS, 500) for number in range(6)}


def save(folder):
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_block_count(6)
    writer.add_string("general.note", "from a seed")
    for name, values in tensors().items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check(folder):
    reader = gguf.GGUFReader(folder / "model.gguf")
    got = {tensor.name: tensor.data for tensor in reader.tensors}
    require(list(got) == list(tensors()), f"tensors: {list(got)}")
    for name, want in tensors().items():
        same(name, got[name].reshape(want.shape), want)
    require(reader.get_field("general.note").contents() == "from a seed", "general.note is another")


main(save=save, check=check)
