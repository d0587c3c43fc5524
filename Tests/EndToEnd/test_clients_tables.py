"""Engines that read tables, reading: pyarrow, polars, DuckDB. Of a Parquet file they fetch the
footer and the columns asked for, not the whole."""

from clients import both, refused, sha256, works
from clients_samples import ROWS
from test_clients_commands import DEEP

SUM = sum(range(ROWS)) * 0.5


def read_a_part(site, record, key="table.parquet"):
    """Only ranges were fetched, and of the file less than half."""
    rows = record.expect("GetObject", 206, key)
    fetched = [row for row in record.rows() if row["operation"] == "GetObject"]
    assert rows == fetched and all(row["range"] for row in rows)
    assert sum(row["bytes_out"] for row in rows) < (site.folder / key).stat().st_size / 2


@both
@works("pyarrow", "`pyarrow.parquet.read_table(…, columns=[…], filesystem=s3)`: by ranges")
def test_pyarrow_reads_a_column(site):
    with site.recorded("pyarrow") as record:
        answer = site.python("pyarrow", """
import pyarrow.compute, pyarrow.parquet
table = pyarrow.parquet.read_table("COLLECTION/table.parquet", columns=["value"], filesystem=s3)
answer = pyarrow.compute.sum(table["value"]).as_py()
""")
    assert answer == SUM
    record.expect("HeadObject", 200, "table.parquet")
    read_a_part(site, record)


@both
@works("pyarrow", "`get_file_info` of files, folders and `FileSelector`; `open_input_file` with "
       "`seek`")
def test_pyarrow_files(site):
    with site.recorded("pyarrow") as record:
        answer = site.python("pyarrow", """
def kinds(infos):
    return [[info.path.removeprefix("COLLECTION/"), info.type.name] for info in infos]

with s3.open_input_file("COLLECTION/large.bin") as file:
    file.seek(12345)
    part = file.read(10000)
answer = [sorted(kinds(s3.get_file_info(fs.FileSelector("COLLECTION/tree")))),
          kinds(s3.get_file_info(["COLLECTION/leaf", "COLLECTION/missing"])),
          kinds(s3.get_file_info(fs.FileSelector(""))), digest(part)]
""")
    assert answer == [
        [["tree/one.txt", "File"], ["tree/sub", "Directory"]],
        [["leaf", "Directory"], ["missing", "NotFound"]], [[site.collection, "Directory"]],
        sha256((site.folder / "large.bin").read_bytes()[12345:22345])]
    record.expect("ListBuckets", 200)
    record.expect("ListObjectsV2", 200)
    record.expect("GetObject", 206, "large.bin", range="bytes=12345-22344")


@works("pyarrow", "`pyarrow.dataset.dataset([file, …], filesystem=s3, partitioning=\"hive\")`")
@refused("pyarrow", "`FileSelector(recursive=True)` and `dataset(folder)` where there are folders "
         "in the folder: give the files")
def test_pyarrow_deep(site):
    with site.recorded("pyarrow") as record:
        answer = site.python("pyarrow", """
import pyarrow.dataset
def dataset(paths):
    return pyarrow.dataset.dataset(paths, filesystem=s3, partitioning="hive").to_table()

answer = [error(lambda: s3.get_file_info(fs.FileSelector("COLLECTION/tree", recursive=True))),
          error(lambda: dataset("COLLECTION/parts")),
          dataset([f"COLLECTION/parts/year={year}/part.parquet" for year in (2025, 2026)])["year"]
          .to_pylist()]
""")
    assert all(DEEP in text for text in answer[:2])
    assert answer[2] == [2025] * 10 + [2026] * 10
    record.expect("ListObjectsV2", 501, error_code="NotImplemented")
    record.expect("GetObject", 206, "parts/year=2026/part.parquet")


@both
@works("polars", "`scan_parquet(\"s3://COLLECTION/…\", storage_options=options)`: by ranges")
def test_polars_scans(site):
    with site.recorded("polars") as record:
        answer = site.python("polars", """
table = polars.scan_parquet("s3://COLLECTION/table.parquet", storage_options=options)
answer = table.filter(polars.col("id") < 100).select("value").collect()["value"].sum()
""")
    assert answer == 2475.0
    record.expect("GetObject", 206, "table.parquet", range="bytes=-262144", bytes_out=262144)
    read_a_part(site, record)


@both
@works("polars", "`read_csv`, `scan_csv`; `*` in one folder (`s3://COLLECTION/folder/*.parquet`)")
def test_polars_csv_and_one_folder(site):
    with site.recorded("polars") as record:
        answer = site.python("polars", """
csv, parts = "s3://COLLECTION/table.csv", "s3://COLLECTION/parts/year=2025/*.parquet"
answer = [polars.read_csv(csv, storage_options=options)["value"].sum(),
          polars.scan_csv(csv, storage_options=options).collect()["value"].sum(),
          polars.scan_parquet(parts, storage_options=options).collect().height]
""")
    assert answer == [sum(range(1000)) * 3] * 2 + [10]
    record.expect("GetObject", 206, "table.csv")
    record.expect("ListObjectsV2", 200)


@works("polars", "several files: `scan_parquet([file, …])`")
@refused("polars", "`*` across folders and a folder with folders in it: give the files; it repeats "
         "the request for seconds before it says so, unless `\"max_retries\": 0`")
def test_polars_deep(site):
    with site.recorded("polars") as record:
        answer = site.python("polars", """
def height(source, **more):
    return polars.scan_parquet(source, storage_options=options | more).collect().height

files = [f"s3://COLLECTION/parts/year={year}/part.parquet" for year in (2025, 2026)]
answer = [error(lambda: height("s3://COLLECTION/parts/*/part.parquet", max_retries=0)),
          error(lambda: height("s3://COLLECTION/parts/", max_retries=0)), height(files)]
""")
    assert all("501 Not Implemented" in text and DEEP in text for text in answer[:2])
    assert answer[2] == 20
    record.expect("ListObjectsV2", 501, error_code="NotImplemented")


@both
@works("DuckDB", "`FROM 's3://COLLECTION/….parquet'`: by ranges; `read_csv`; `*` in one folder")
def test_duckdb(site):
    with site.recorded("DuckDB") as record:
        answer = site.python("DuckDB", """
total, = sql.execute("SELECT sum(value) FROM 's3://COLLECTION/table.parquet'").fetchone()
answer = [float(total)]
""")
    assert answer == [SUM]
    record.expect("HeadObject", 200, "table.parquet")
    read_a_part(site, record)
    with site.recorded("DuckDB") as record:
        answer = site.python("DuckDB", """
csv = sql.execute("SELECT count(*), sum(value) FROM read_csv('s3://COLLECTION/table.csv')")
answer = [csv.fetchone(), sql.execute(
    "SELECT count(*) FROM 's3://COLLECTION/parts/year=2025/*.parquet'").fetchone()]
""")
    assert answer == [[1000, sum(range(1000)) * 3], [10]]
    record.expect("ListObjectsV2", 200)
    record.expect("GetObject", 206, "table.csv")


@works("DuckDB", "partitions: `read_parquet([file, …], hive_partitioning=true)`")
@refused("DuckDB", "`*` across folders (`s3://COLLECTION/parts/*/*.parquet`): give the files")
def test_duckdb_deep(site):
    with site.recorded("DuckDB") as record:
        answer = site.python("DuckDB", """
files = [f"s3://COLLECTION/parts/year={year}/part.parquet" for year in (2025, 2026)]
answer = [error(lambda: sql.execute("FROM 's3://COLLECTION/parts/*/*.parquet'")),
          sql.execute("SELECT year, count(*) FROM read_parquet($1, hive_partitioning=true) "
                      "GROUP BY 1 ORDER BY 1", [files]).fetchall()]
""")
    assert "HTTP 501" in answer[0] and DEEP in answer[0]
    assert answer[1] == [[2025, 10], [2026, 10]]
    record.expect("ListObjectsV2", 501, error_code="NotImplemented")
