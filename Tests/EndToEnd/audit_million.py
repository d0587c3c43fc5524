"""Times the reports and queries of docs/audit.md on a large record: `scripts/soak-million`.

`python audit_million.py DATABASE` prints a table and puts it into docs/audit.md. A figure is the
CPU time of the command, its start included: the better of two runs, the file in the page cache.
"""

import datetime
import pathlib
import resource
import sqlite3
import subprocess
import sys

import audit_doc
from frontend import PROGRAM

REPORTS = ["reads", "failures", "top", "slow", "hourly", "deletes", "clients", "collections"]


def measure(database, *arguments):
    def seconds():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(2):
        begin = seconds()
        answer = subprocess.run([PROGRAM, "audit", *arguments, "--audit-db", database],
                                capture_output=True, text=True)
        times.append(seconds() - begin)
        assert answer.returncode == 0, answer.stderr
    return f"{min(times):.2f} s"


def facts(database):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows, last = connection.execute("SELECT count(*), max(start_us) FROM request").fetchone()
        key = connection.execute("SELECT collection_id, username, request_id FROM requests "
                                 "WHERE object_key IS NOT NULL LIMIT 1").fetchone()
    connection.close()
    return rows, last, key


def table(database):
    rows, last, (collection, user, request) = facts(database)

    def since(days):
        moment = datetime.datetime.fromtimestamp(last / 1e6 - days * 86400, datetime.UTC)
        return "--since", moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    bytes_per_row = pathlib.Path(database).stat().st_size / rows
    lines = [f"{rows:,} rows, {bytes_per_row:.0f} bytes each with indexes, sums and chain.", "",
             "| question | last day | last 30 days | all |", "|---|---|---|---|"]
    for report in REPORTS:
        spans = [measure(database, "report", report, *span) for span in (since(1), since(30), ())]
        lines.append(f"| `report {report}` | {' | '.join(spans)} |")
    person = [measure(database, "report", "reads", "--user", user, *span)
              for span in (since(1), since(30), ())]
    lines.append(f"| `report reads --user` | {' | '.join(person)} |")
    prefix = measure(
        database, "report", "reads", "--collection", collection, "--key-prefix", "run7/")
    lines.append(f"| `report reads --collection --key-prefix` | | | {prefix} |")
    lines.append(f"| `show` | | | {measure(database, 'show', request)} |")
    lines += ["", "| query, over the time that it names | |", "|---|---|"]
    for number, (title, sql) in enumerate(audit_doc.queries().items(), 1):
        sql = (sql.replace(audit_doc.COLLECTION, collection).replace("results/", "run7/")
               .replace("researcher@example.org", user)
               .replace("'now'", f"{last // 10**6}, 'unixepoch'"))
        lines.append(f"| {number}. {title} | {measure(database, 'sql', sql)} |")
    return "\n".join(lines) + "\n"


def main():
    text = table(sys.argv[1])
    print(text)
    audit_doc.FILE.write_text(
        audit_doc.replaced(audit_doc.FILE.read_text(), "million", "\n" + text + "\n"))


if __name__ == "__main__":
    main()
