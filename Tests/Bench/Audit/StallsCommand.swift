// How long the loop's thread stands at the spool while the writer syncs it and the database. Some
// requests stay open for a while, so that the spool must be synced: their pages are then written
// by the kernel, and the next store into one of them faults.

import ArgumentParser
import Audit
import Glibc

struct StallsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "stalls")

  @Argument(help: "The database; its folder is the disk to be measured.") var path: String
  @Option var seconds = 10.0
  @Option var rate = 5_000.0

  private static let openSeconds = 0.3
  /// One request in so many stays open.
  private static let longShare = 50

  func run() throws {
    let log = try openLog(path)
    var workload = Workload(keys: .walk)
    var open: [(ticket: AuditLog.Ticket, until: Double)] = []
    var stores = Stores()
    let began = Clock.now
    var requests = 0
    while Clock.now - began < seconds {
      while Clock.now - began < Double(requests) / rate { usleep(1_000) }
      requests += 1
      let now = AuditLog.wallMicroseconds()
      let intent = workload.next(log.newRequest(nowMicroseconds: now), at: now)
      guard let ticket = stores.time({ log.begin(intent) }) else { continue }
      if requests % Self.longShare == 0 {
        open.append((ticket, Clock.now + Self.openSeconds))
      } else {
        stores.time { log.complete(ticket, Workload.completion) }
      }
      if let first = open.first, first.until < Clock.now {
        open.removeFirst()
        stores.time { log.complete(first.ticket, Workload.completion) }
      }
    }
    log.close()
    stores.report()
  }
}

/// Times of single stores. One during which the thread gave up its core of its own accord was
/// blocked; one that lost it was only preempted, which a busy machine does to any code.
private struct Stores {
  private var times: [Double] = []
  private var blocked: [Double] = []

  @discardableResult
  mutating func time<Result>(_ store: () -> Result) -> Result {
    let switches = Self.voluntarySwitches
    let began = Clock.now
    let result = store()
    let time = Clock.now - began
    times.append(time)
    if Self.voluntarySwitches != switches { blocked.append(time) }
    return result
  }

  private static var voluntarySwitches: Int {
    var usage = rusage()
    // RUSAGE_THREAD, a macro of _GNU_SOURCE that Swift doesn't see.
    getrusage(1, &usage)
    return usage.ru_nvcsw
  }

  func report() {
    let sorted = times.sorted()
    func at(_ share: Double) -> Double { sorted[Int(Double(sorted.count - 1) * share)] * 1e6 }
    audit_bench.report("stores", Double(sorted.count))
    audit_bench.report("p50_us", at(0.5))
    audit_bench.report("p99_us", at(0.99))
    audit_bench.report("p999_us", at(0.999))
    audit_bench.report("max_us", at(1))
    audit_bench.report("blocked", Double(blocked.count))
    audit_bench.report("blocked_max_us", (blocked.max() ?? 0) * 1e6)
  }
}
