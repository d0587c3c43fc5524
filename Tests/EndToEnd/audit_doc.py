"""docs/audit.md read as what it is made of, and the parts of it that are made: `scripts/audit-doc`.

The list of columns and Datasette's metadata come from the record's own table `documentation`, the
canned queries from the document's ten queries. `test_audit_doc.py` compares them with the files.
"""

import json
import pathlib
import re
import sqlite3
import tempfile

from frontend import ROOT, Program

FILE = ROOT / "docs" / "audit.md"
METADATA = ROOT / "docs" / "datasette" / "metadata.json"

# What a reader puts values in the place of; and the names of these fields in Datasette.
COLLECTION = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
IDENTITY = "ae341a98-d274-11e5-b888-dbae3a8ba545"
REQUEST = "031797D16514E400"
PARAMETERS = {f"'{COLLECTION}'": ":collection", "'researcher@example.org'": ":user",
              "'results/*'": ":keys"}


def queries():
    """The ten queries, by title."""
    form = r"^#### \d+\. ([^\n]+)\n\n```sql\n(.+?)\n```$"
    return dict(re.findall(form, FILE.read_text(), re.M | re.S))


def blocks(language):
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.+?)\n```$", FILE.read_text(), re.M | re.S)


def commands():
    """The lines of shell that run this program."""
    return [line for block in blocks("shell") for line in block.splitlines()
            if line.startswith("globus-s3-frontend ")]


def documentation(database):
    """The rows of the record's documentation, by table or view."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT name, column, unit, meaning FROM documentation")
        objects = {}
        for name, *line in rows:
            objects.setdefault(name, []).append(line)
    connection.close()
    return objects


def with_unit(unit, meaning):
    return f"{meaning} ({unit})" if unit else meaning


def columns(database):
    lines = []
    for name, ((_, _, meaning), *of_columns) in documentation(database).items():
        lines += [f"### {name}", "", meaning, "", "| column | unit | meaning |", "|---|---|---|"]
        lines += [f"| `{column}` | {unit} | {text} |" for column, unit, text in of_columns]
        lines.append("")
    return "\n".join(lines)


def replaced(text, mark, content):
    """The text with another content between `<!-- mark… -->` and `<!-- /mark -->`."""
    begin, end = re.search(rf"<!-- {mark}[^>]*-->\n", text).end(), text.index(f"<!-- /{mark} -->")
    return f"{text[:begin]}{content}{text[end:]}"


def document(database):
    return replaced(FILE.read_text(), "columns", "\n" + columns(database))


def metadata(database):
    tables = {name: {"description": meaning,
                     "columns": {column: with_unit(unit, text) for column, unit, text in rest}}
              for name, ((_, _, meaning), *rest) in documentation(database).items()}
    tables["requests"] |= {"sort_desc": "id", "facets": ["operation", "outcome"]}
    canned = {}
    for title, sql in queries().items():
        for value, parameter in PARAMETERS.items():
            sql = sql.replace(value, parameter)
        name = re.sub(r"\W+", "-", title.lower()).strip("-")
        canned[name] = {"title": title, "sql": sql}
    return json.dumps({
        "title": "The record of globus-s3-frontend",
        "description": "Who read what, from where, when, did it work, and how sure are we.",
        "databases": {"audit": {"queries": canned, "tables": tables}},
    }, indent=2, ensure_ascii=False) + "\n"


def main():
    with tempfile.TemporaryDirectory() as folder:
        database = pathlib.Path(folder) / "audit.db"
        program = Program("local", "--listen", "127.0.0.1:0", "--audit-db", database).wait_ready()
        program.stop()
        FILE.write_text(document(database))
        METADATA.write_text(metadata(database))


if __name__ == "__main__":
    main()
