// Libraries of Python: those that save models and checkpoints, and those that save arrays and tables. Each case is a file
// beside this one.

import { grows, type Phase, pythonCase, type Versions } from "../support/case.ts";
import { runCases } from "../support/run.ts";

type More = Parameters<typeof pythonCase>[1];

/** huggingface_hub looks whether links can be made. */
const PROBE: Versions = {
  key: /\/tmp[^/]+\/dummy_file_dst$/,
  why: "a link: its content is its target",
  accepts: (seen) => seen.equals(Buffer.from("dummy_file_src")),
};

/** A JSON text that is cut off cannot be read. */
const ORBAX_JSON: Versions = {
  key: /\/_CHECKPOINT_METADATA$/,
  why: "it is replaced at the end, and is a whole text before",
  accepts: (seen) => typeof JSON.parse(seen.toString()) === "object",
};

/** Files of this format say in their head how long they are. */
const OCDBT: Versions = {
  key: /\/manifest\.ocdbt$/,
  why: "it is replaced at the end, and is whole before",
  accepts: (seen) => seen.readBigUInt64LE(4) === BigInt(seen.length),
};

runCases("python: arrays and tables", [
  pythonCase("numpy_save.py", more(1.15, "one file is saved twice")),
  pythonCase("numpy_savez.py", {
    ...more(
      1.2,
      "the header of the last member, in the middle of the file, is written after its data",
    ),
    timing: "the part with this header may have been sent before",
  }),
  pythonCase("numpy_memmap.py", {
    ...more(1.15, "one part is changed by a second mapping"),
    versions: [
      headerOf(/^mapped\.npy$/, "numpy closes the file with its header alone, before it maps it"),
    ],
    timing: "this first close may be overtaken",
  }),
  pythonCase("h5py_file.py", {
    ...more(1.5, "the append changes the first part, and what is in the middle is written again"),
    timing: "these parts may have been sent before",
  }),
  pythonCase("pyarrow_files.py"),
  pythonCase("zarr_store.py", {
    ...more(2.1, "chunks are changed"),
    timing: "what is changed soon is sent once",
  }),
  pythonCase("joblib_pandas.py"),
]);

runCases("python: models", [
  pythonCase("safetensors_numpy.py"),
  pythonCase("safetensors_torch.py", more(2.02, "the file is saved twice")),
  pythonCase("torch_save.py", more(1.36, "one of three large files is saved twice")),
  pythonCase("gguf_writer.py"),
  pythonCase("onnx_external.py", {
    ...more(1.3, "it is appended to twice, and not at the end of a part"),
    versions: [grows(/^ext\.bin$/)],
  }),
  pythonCase("tensorboard_log.py", {
    ...more(40, "the whole log is sent each time, about once a second"),
    versions: [grows(/tfevents/)],
    timing: "one request a second, as long as it takes",
  }),
  pythonCase("hub_cache.py", {
    versions: [PROBE],
    timing: "names that are removed soon may never be in the bucket",
  }),
]);

runCases("python: checkpoints", [
  pythonCase("torch_distributed.py", {
    ...more(1.52, "one of two checkpoints is saved twice"),
    timing: "a file that is replaced soon is sent once",
  }),
  pythonCase("transformers_model.py", more(1.52, "one of two models is saved twice")),
  pythonCase("transformers_trainer.py", {
    ...more(1.52, "one of three checkpoints is removed"),
    later: [again("transformers_trainer.py", "resume")],
  }),
  pythonCase("accelerate_state.py", more(1.52, "one of three checkpoints is removed")),
  pythonCase("lightning_checkpoint.py", {
    ...more(2.5, "the last one is saved again, others are removed"),
    timing: "a link that is replaced soon, and a directory that changes soon, are sent once",
  }),
  pythonCase("orbax_manager.py", {
    ...more(
      5,
      "two of four checkpoints are removed, and each is written twice, in pieces and merged",
    ),
    versions: [ORBAX_JSON, OCDBT],
    timing: "what is removed soon is not sent; the pieces differ with each run",
  }),
]);

/** Bytes that may be sent beyond what is there at the end. */
function more(max: number, why: string): More {
  return { ratio: { max, why } };
}

function headerOf(key: RegExp, why: string): Versions {
  return { key, why, accepts: (seen, final) => final.subarray(0, 128).equals(seen) };
}

/** Another action of the file, on a machine that knows nothing of the first. */
function again(file: string, action: string): Phase {
  const run = `"$PYTHON" "$TREE/test/programs/python/${file}" ${action} "$DIR"`;
  return { name: action, run, after: "forget" };
}
