"""The rows of the table, in the order of design's goals. Each measures its servers in turns, so that
what the machine does meanwhile meets all of them, and takes medians."""

import statistics

import floors
import loads
import machine
from frontend import audit
from ours import stop
from table import Row, compared, figure

MIB = 1 << 20


def medians(rounds, servers, measure):
    """Of each server the list of figures that `measure` gives, as medians of the rounds."""
    found = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            found[server.name].append(measure(server))
    return {name: [statistics.median(column) for column in zip(*some)]
            for name, some in found.items()}


class Rows:
    def __init__(self, stage, options, say):
        self.stage = stage
        self.rounds, self.seconds = options.rounds, options.seconds
        self.say = say
        self.ours = stage.ours()
        self.nginx, self.tuned = stage.nginx(), stage.nginx_tuned()
        self.haproxy, self.rclone = stage.haproxy(), stage.rclone()
        self.every = [self.ours, self.nginx, self.tuned, self.haproxy, self.rclone]
        #: CPU of a small request of ours and of rclone, for the rows that need both, and of a GiB.
        self.request, self.gib = {}, {}

    # Small objects

    def small(self, name, connections, servers):
        def measure(server):
            one = loads.small(self.stage.work, server, name, connections, self.seconds)
            if one.errors:
                self.say(f"{server.name}: {one.errors} errors")
            return one.cpu, one.rate, one.p50, one.p99, one.beside

        for server in servers:  # its connections, here and upstream
            loads.small(self.stage.work, server, name, connections, self.seconds)
        return medians(self.rounds, servers, measure)

    def small_objects(self):
        unverified = self.ours.unsigned()
        proxies = [self.ours, self.nginx, self.haproxy]
        cases = [("1k", 1, proxies), ("1k", 64, [unverified, *self.every]), ("1k", 512, [*proxies, self.tuned]),
                 ("1k", 4096, proxies), ("64k", 64, [*proxies, self.tuned])]
        self.found = {}
        for name, connections, servers in cases:
            self.say(f"{name} at {connections}")
            self.found[name, connections] = self.small(name, connections, servers)
        at64 = self.found["1k", 64]
        self.request = {name: some[0] for name, some in at64.items()}
        yield compared("1 KiB GET, 64 connections, CPU per request, µs", self.cpu("1k", 64),
                       "nginx", 2.0)
        yield compared("the same, any secret (`--signatures any`)",
                       {**self.cpu("1k", 64), "ours": at64["unverified"][0]}, "nginx", 2.0)
        yield compared("1 KiB GET, 512 connections, µs", self.cpu("1k", 512), "nginx", 1.4)
        yield compared("64 KiB GET, 64 connections, µs", self.cpu("64k", 64), "nginx", 1.0)
        for connections, goal in ((64, 1.6), (512, 1.3)):
            cells = {name: some[3] for name, some in self.found["1k", connections].items()}
            yield compared(f"p99 latency, 1 KiB, {connections} connections, ms", cells, "nginx",
                           goal)
        yield Row("growth: 1 KiB, CPU per request at 1 / 64 / 512 / 4,096, µs", self.growth(0))
        yield Row("growth: requests a second", self.growth(1))
        yield Row("growth: p99, ms", self.growth(3))

    def cpu(self, name, connections):
        return {server: some[0] for server, some in self.found[name, connections].items()}

    def growth(self, column):
        return {server.name: " / ".join(figure(self.found["1k", count][server.name][column])
                                        for count in (1, 64, 512, 4096))
                for server in (self.ours, self.nginx, self.haproxy)}

    # Large objects

    def large_objects(self):
        relay = floors.relay(self.stage)
        servers = [*self.every, relay]
        aes = statistics.median(floors.decryption() for _ in range(self.rounds))
        for name, clients, title in (("64m", 8, "64 MiB, 8 clients"), ("1g", 1, "1 GiB, 1 client")):
            self.say(title)
            found = medians(self.rounds, servers, lambda one: loads.large(one, name, clients))
            cells = {server: some[1] for server, some in found.items()}
            yield compared(f"{title}, CPU s per GiB", cells, "nginx-tuned", 1.05)
            floor = aes + cells["relay"]
            yield Row(
                f"the same as multiples of the floor, {floor:.2f} (AES-256-GCM {aes:.2f}, copying "
                f"{cells['relay']:.2f})",
                {server: cells[server] / floor for server in cells},
                f"{cells['ours'] / floor:.2f}x the floor")
            yield Row("the same, MB a second", {server: some[0] for server, some in found.items()})
            self.gib = cells

    # The first byte

    def first_bytes(self):
        self.say("first byte")
        slow = self.stage.ours(latency=500)
        cold, warm = [], []
        for number in range(self.rounds):
            cold.append(loads.first_byte(slow, f"cold-{number}"))
            warm += [loads.first_byte(slow, f"cold-{number}") for _ in range(5)]
        cold, warm = statistics.median(cold), statistics.median(warm)
        calls = self.calls(self.stage.database(slow.port))
        stop(slow.process)
        yield Row("first byte, 500 ms per Transfer call: cold / warm, ms",
                  {"ours": f"{cold:.0f} / {warm:.1f}"},
                  f"{calls[0]} / {calls[1]} calls to Transfer", "1 / 0", calls == (1, 0))

    @staticmethod
    def calls(database):
        """Transfer calls of a cold and of a warm GET: all calls but the one for the bytes."""
        rows = [row for row in audit(database) if row["operation"] == "GetObject"]
        counts = sorted(int(row["upstream_calls"]) - 1 for row in rows)
        return counts[-1], counts[0]

    # Memory

    def idle_connections(self):
        count = min(10_000, machine.descriptors() // 2 - 200)
        self.say(f"{count:,} idle connections")
        def measure(server):
            # What grows with the first requests, such as caches of the record, has grown then.
            size = 0
            for _ in range(10):
                loads.small(self.stage.work, server, "1k", 16, 3)
                before, size = size, machine.memory(server.pid)[1]
                if size - before < MIB // 4:
                    break
            return loads.idle(server, count)

        found = self.fresh(measure)
        each = {name: one.each for name, one in found.items()}
        yield Row(f"memory of an idle connection, of {count:,}, bytes", each,
                  f"{figure(each['ours'])} bytes", "512", each["ours"] <= 512)
        yield Row("the whole process then (without pages of files), MiB",
                  {name: f"{figure(one.resident / MIB)} ({figure(one.anonymous / MIB)})"
                   for name, one in found.items()},
                  f"{found['ours'].resident / MIB:.0f} MiB", "32",
                  found["ours"].resident < 32 * MIB)

    def fresh(self, measure):
        """What is measured of each server in a process of its own."""
        found = {}
        for make in (self.stage.ours, self.stage.nginx, self.stage.nginx_tuned,
                     self.stage.haproxy, self.stage.rclone):
            server = make()
            found[server.name] = measure(server)
            self.say(server.name, found[server.name])
            stop(server.process)
        return found

    def slow_readers(self):
        count, rate = 100, 256 << 10
        self.say(f"{count} slow readers")
        found = self.fresh(
            # nginx as it comes spools a GiB a reader as fast as the disk is: four show it.
            lambda server: loads.slow(server, "1g", rate, *(4, 2) if server.name == "nginx"
                                      else (count, 10)))
        ours = found["ours"]
        yield Row(f"{count} readers of 1 GiB at {rate >> 10} KiB/s: memory of each, KiB",
                  {name: figure(one.memory / 1024) + (f", {one.disk / MIB:.0f} MiB on disk"
                                                      if one.disk else "")
                   for name, one in found.items()},
                  f"{ours.memory / 1024:.0f} KiB", "512, no disk",
                  ours.memory <= 512 << 10 and not ours.disk)

    # The rest

    def beside_rclone(self):
        self.say("rclone")
        if "rclone" in self.request:
            times = self.request["rclone"] / self.request["ours"]
            yield Row("1 KiB requests per core, beside `rclone serve s3`", {},
                      f"{times:.1f}x rclone", "8x", times >= 8)
        if self.gib:
            yield compared("1 GiB, CPU s, beside `rclone serve s3`", self.gib, "rclone", 1.0)

        def measure(server):
            loads.small(self.stage.work, server, "1k", 64, 3)
            loads.large(server, "64m", 8)
            return machine.memory(server.pid)[2] / MIB

        most = self.fresh(measure)
        yield compared("most memory under 1 KiB at 64 connections and 64 MiB at 8, MiB", most,
                       "rclone", 0.33)

    def recording(self, figures):
        """From the audit's own bench, and the writer's thread under the load of 1 KiB GETs."""
        share = 100 * figures["loop_us"] / self.request["ours"]
        yield Row("audit: the loop's thread, µs of a request", {"ours": figures["loop_us"]},
                  f"{share:.1f} %", "5 %", share < 5)
        writer = self.found["1k", 64]["ours"][4]
        yield Row("audit: its writer, CPU of a row, µs", {"ours": writer}, f"{writer:.0f} µs", "20",
                  writer < 20)

    def starts(self):
        port, command, environment = self.stage.serve()
        times = [loads.start(command, port, env=environment) for _ in range(2 * self.rounds + 1)]
        median = statistics.median(times[1:])
        yield Row("from exec to the first answer, ms", {"ours": median},
                  f"{median:.0f} ms; the first time, which makes the record, {times[0]:.0f}", "50",
                  median < 50)
