# Lets PyPI's torch, which is built for CUDA, load where CUDA is not, without the 3 GB of NVIDIA's packages: compiles a stub
# for each library of CUDA that torch's own libraries name, of which every function says that there is no device.
# Usage: torch-cpu-stub.py, with the Python that has torch; needs gcc and readelf.
import re
import subprocess
import sysconfig
import tempfile
from pathlib import Path

FOREIGN = re.compile(r"^lib(cu|nv|nccl)")
LOOSE = re.compile(r"^(cu|nccl|nvrtc|nvJit|nvshmem|__cuda)")
NO_DEVICE = 100  # cudaErrorNoDevice

# Those whose answer torch uses at once.
BODIES = {
    "cudaGetErrorString": 'const char *{0}(void) {{ return "no CUDA: this is a stub"; }}',
    "cudaGetErrorName": 'const char *{0}(void) {{ return "stub"; }}',
    "cudaGetDeviceCount": "int {0}(int *count) {{ *count = 0; return 100; }}",
    "cudaDriverGetVersion": "int {0}(int *version) {{ *version = 0; return 0; }}",
    "cudaRuntimeGetVersion": "int {0}(int *version) {{ *version = 13000; return 0; }}",
    "cudaGetLastError": "int {0}(void) {{ return 0; }}",
    "cudaPeekAtLastError": "int {0}(void) {{ return 0; }}",
}


def main():
    folder = Path(sysconfig.get_paths()["purelib"]) / "torch" / "lib"
    ours = [path for path in folder.glob("*.so*") if not FOREIGN.match(path.name)]
    libraries = sorted({name for path in ours for name in needed(path)})
    versioned, loose = wanted(ours)
    for library in libraries:
        # Symbols without a version do not say from where they are: one library has them all.
        extra = loose if library.startswith("libnccl") else set()
        version = "NVSHMEM" if "nvshmem" in library else library
        compile_stub(folder / library, version, versioned.get(version, set()), extra)
    print(f"torch-cpu-stub: {len(libraries)} stubs in {folder}")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(path):
    names = re.findall(r"NEEDED.*\[(.*?)\]", output("readelf", "-d", path))
    return [name for name in names if FOREIGN.match(name)]


def wanted(paths):
    """Symbols that are looked up elsewhere: by their version, which is the library's name, and those without one."""
    versioned, loose, defined = {}, set(), set()
    for path in paths:
        for line in output("readelf", "--dyn-syms", "-W", path).splitlines():
            fields = line.split()
            if len(fields) < 8 or not fields[0].endswith(":"):
                continue
            symbol, _, version = fields[7].partition("@")
            if fields[6] != "UND":
                defined.add(symbol)
            elif FOREIGN.match(version) or version == "NVSHMEM":
                versioned.setdefault(version, set()).add(symbol)
            elif not version and fields[4] == "GLOBAL" and LOOSE.match(symbol):
                loose.add(symbol)
    return versioned, loose - defined


def compile_stub(path, version, symbols, extra):
    default = f"int {{0}}(void) {{{{ return {NO_DEVICE}; }}}}"
    with tempfile.TemporaryDirectory(prefix="kodomount-") as work:
        source, script = Path(work, "stub.c"), Path(work, "stub.map")
        lines = [BODIES.get(symbol, default).format(symbol) for symbol in sorted(symbols | extra)]
        source.write_text("\n".join(lines) + "\n")
        command = ["gcc", "-shared", "-fPIC", "-w", "-O1", "-fno-builtin", "-o", path, source]
        command.append(f"-Wl,-soname,{path.name}")
        if symbols:
            script.write_text(f"{version} {{ global: {'; '.join(sorted(symbols))}; }};\n")
            command.append(f"-Wl,--version-script={script}")
        output(*command)


main()
