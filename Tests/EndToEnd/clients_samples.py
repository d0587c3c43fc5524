"""The folder of samples that the tests of clients read: nested folders, odd names, a large file, a
Parquet table in many row groups, CSV, a partitioned table and a zarr array."""

import random
import subprocess

from clients_settings import PYTHON

ROWS = 200_000
LARGE = 20 * 1024 * 1024 + 7
LEAF = {
    "a.txt": b"first\n", "b c+d.txt": b"second\n", "é.bin": bytes(range(256)),
    "日本 ~(1)'!*.txt": "日本\n".encode(), "&<amp>;=@,.txt": b"third\n", "100% $sure.txt": b"fourth\n",
}
TREE = {"one.txt": b"1", "sub/two.txt": b"22", "sub/deeper/three.txt": b"333"}

TABLES = f"""
import pyarrow, pyarrow.parquet, zarr, numpy
ids = numpy.arange({ROWS})
names = [f"name {{n}}" for n in ids]
table = pyarrow.table({{"id": ids, "value": ids * 0.5, "name": names}})
pyarrow.parquet.write_table(table, "table.parquet", row_group_size=20_000)
for year in (2025, 2026):
    part = table.slice(0, 10).set_column(1, "value", pyarrow.array([float(year)] * 10))
    pyarrow.parquet.write_table(part, f"parts/year={{year}}/part.parquet")
array = zarr.create_array("array.zarr", shape=(40, 40), chunks=(10, 10), dtype="i4")
array[:] = numpy.arange(1600).reshape(40, 40)
"""


def make(folder):
    for name, content in LEAF.items():
        (folder / "leaf").mkdir(exist_ok=True)
        (folder / "leaf" / name).write_bytes(content)
    for name, content in TREE.items():
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / name).write_bytes(content)
    for year in (2025, 2026):
        (folder / "parts" / f"year={year}").mkdir(parents=True)
    (folder / "empty").touch()
    (folder / "large.bin").write_bytes(random.Random(3).randbytes(LARGE))
    (folder / "table.csv").write_text("id,value\n" + "".join(f"{n},{n * 3}\n" for n in range(1000)))
    subprocess.run([PYTHON["clients"], "-c", TABLES], check=True, timeout=120, cwd=folder)
    return folder
