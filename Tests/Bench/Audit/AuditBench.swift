// audit-bench: what the record costs, part by part. Not a part of the product: `scripts/bench audit`
// runs it, with medians of several rounds. Each command prints lines `name=value`.

import ArgumentParser
import Audit
import FoundationEssentials
import Glibc
import Logging

@main struct AuditBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit-bench", abstract: "Measures the cost of the audit.",
    subcommands: [LoopCommand.self, RowsCommand.self, StallsCommand.self, ServersCommand.self])
}

func makeLogger() -> Logger {
  Logger(label: "audit-bench") { _ in SwiftLogNoOpLogHandler() }
}

func openLog(_ path: String) throws -> AuditLog {
  var options = AuditLog.Options(databasePath: path)
  options.version = "bench"
  return try AuditLog(options, logger: makeLogger())
}

func report(_ name: String, _ value: Double) {
  print("\(name)=\((value * 1_000).rounded() / 1_000)")
}

enum Clock {
  static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static var now: Double { seconds(CLOCK_MONOTONIC) }
  /// CPU seconds of the thread that asks.
  static var ownCPU: Double { seconds(CLOCK_THREAD_CPUTIME_ID) }

  /// CPU seconds of all threads but the first: of the audit's writer, there is no other.
  static func writerCPU() throws -> Double {
    let own = "\(getpid())"
    var nanoseconds = 0.0
    for thread in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
    where thread != own {
      let times = try String(
        contentsOfFile: "/proc/self/task/\(thread)/schedstat", encoding: .utf8)
      nanoseconds += Double(times.prefix { $0 != " " }) ?? 0
    }
    return nanoseconds / 1e9
  }
}

/// What the thread of the loop pays for a request: the slot's intent and completion and the handing
/// over, with and without an amendment between.
struct LoopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "loop")

  @Argument(help: "The database.") var path: String
  @Option var rounds = 100

  func run() throws {
    let log = try openLog(path)
    var workload = Workload(keys: .walk)
    for isAmended in [false, true] {
      var cpu = 0.0
      for _ in 0..<rounds {
        let intents = (0..<1_000).map { _ in
          let now = AuditLog.wallMicroseconds()
          return workload.next(log.newRequest(nowMicroseconds: now), at: now)
        }
        let end = Workload.completion
        let began = Clock.ownCPU
        for intent in intents {
          guard let ticket = log.begin(intent) else { continue }
          if isAmended { log.amend(ticket, intent) }
          log.complete(ticket, end)
        }
        cpu += Clock.ownCPU - began
        log.flush()
      }
      let name = isAmended ? "loop_us_amended" : "loop_us"
      report(name, cpu * 1e6 / Double(rounds * 1_000))
    }
    log.close()
  }
}

/// What the writer pays for a row, and whether it keeps up with a rate.
struct RowsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "rows")

  @Argument(help: "The database; grows by the rows.") var path: String
  @Option var rows = 100_000
  @Option(help: "Requests a second; 0: as many as the writer takes.") var rate = 20_000.0
  @Option var keys = Workload.Keys.walk
  @Option(help: "Days before now over which the requests' times are spread.") var days = 0

  func run() throws {
    let log = try openLog(path)
    var workload = Workload(keys: keys)
    let span = Int64(days) * 86_400_000_000
    let first = AuditLog.wallMicroseconds() - span
    var refused = 0
    let (began, cpu) = (Clock.now, try Clock.writerCPU())
    for row in 0..<rows {
      if rate > 0 {
        while Clock.now - began < Double(row) / rate { usleep(2_000) }
      } else if row % 4_000 == 3_999 {
        log.flush()
      }
      let now =
        days > 0 ? first + span / Int64(rows) * Int64(row) : AuditLog.wallMicroseconds()
      let intent = workload.next(log.newRequest(nowMicroseconds: now), at: now)
      if let ticket = log.begin(intent) {
        log.complete(ticket, Workload.completion)
      } else {
        refused += 1
      }
    }
    let fed = Clock.now
    log.flush()
    let used = try Clock.writerCPU() - cpu
    report("rows", Double(rows - refused))
    report("refused", Double(refused))
    report("rate", Double(rows) / (fed - began))
    report("drained_s", Clock.now - fed)
    report("writer_us", used * 1e6 / Double(rows - refused))
    report("writer_busy_percent", used * 100 / (Clock.now - began))
    log.close()
  }
}
