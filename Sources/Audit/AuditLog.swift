// AuditLog: one row for each request, whatever happens: the face of this module for the server.
//
// `newRequest`, `begin`, `amend` and `complete` are the loop thread's: they copy bytes into the
// spool's mapping and never wait for the database. Everything else is done by the writer thread.
// A ticket is completed once; a second completion, or one after `close`, does nothing.

import Crypto
import Foundation
import GRDBSQLite
import Logging
import Synchronization

/// The record of a running server.
public final class AuditLog: @unchecked Sendable {  // see above: one thread uses the stored state
  /// What happens to a request that can't be recorded.
  public enum OnFailure: String, Sendable, CaseIterable {
    case refuse, `continue`
  }

  public struct Options: Sendable {
    public var databasePath: String
    public var onFailure: OnFailure = .refuse
    /// Requests that may be in flight or not yet committed; 8 KiB of disk each.
    public var spoolSlots = Limits.defaultSlots
    /// The program's version, for the record's list of runs.
    public var version = ""
    /// 32 bytes of which the key that signs checkpoints is made; nil: a key of this run's own.
    public var signingSeed: SecretBytes?
    /// Requests without a genuine credential that have rows of their own, for each address and
    /// minute; those beyond are counted.
    public var strangersRowsPerMinute = Limits.strangersRowsPerMinute
    /// Days after which rows go; nil: they are kept.
    public var retentionDays: Int?
    var ballastBytes = Limits.ballastBytes
    var lowWaterBytes = Limits.lowWaterBytes
    var machine = Machine()

    public init(databasePath: String) {
      self.databasePath = databasePath
    }
  }

  /// The right to complete one record.
  public struct Ticket: Sendable {
    public let requestID: RequestID
    fileprivate let slot: UInt32
    /// 0: nothing is recorded.
    fileprivate let sequence: UInt64

    /// The ticket of a request that is not recorded, or counted only.
    static func none(_ id: RequestID) -> Ticket { Ticket(requestID: id, slot: 0, sequence: 0) }
  }

  private let onFailure: OnFailure
  /// With these, nothing is recorded although the spool has room.
  private let refusing: Problems
  private let spool: Spool
  private let handoff: Handoff
  private var generator: RequestIDGenerator
  private var free: [UInt32]
  /// The sequence number of each slot's record, 0 when it is complete or free.
  private var open: [UInt64]
  private var sequence: UInt64 = 0
  private var meter: FloodMeter
  private let reserve: Int
  private var isClosed = false

  /// Opens the database and the spool beside it, replays what the last run left, and starts
  /// the writer thread. Requests that were in flight become `lost`.
  public init(_ options: Options, logger: Logger) throws(AuditError) {
    guard 1...Limits.maximumSlots ~= options.spoolSlots else {
      throw AuditError(.unusable, "an audit spool has 1 to \(Limits.maximumSlots) slots")
    }
    var options = options
    options.databasePath = absolutePath(options.databasePath)
    try Self.createFolder(of: options.databasePath)
    try options.machine.check(folder: Self.folder(of: options.databasePath))
    let spool = try Spool(path: options.databasePath + ".spool", slots: options.spoolSlots)
    let ballast = Ballast(options)
    do throws(AuditError) {
      let opening = Opening(options: options, logger: logger)
      let signer = try Self.signingKey(options)
      let opened = try opening.start(spool, ballast)
      generator = RequestIDGenerator(after: opened.lastID)
      if spool.slotCount != options.spoolSlots { try spool.reformat(slots: options.spoolSlots) }
      self.spool = spool
      onFailure = options.onFailure
      refusing = options.onFailure == .refuse ? [.lowSpace, .noSpace] : [.noSpace]
      handoff = Handoff(slots: spool.slotCount)
      free = (0..<UInt32(spool.slotCount)).reversed()
      open = Array(repeating: 0, count: spool.slotCount)
      reserve = spool.slotCount / Limits.reservedShare
      meter = FloodMeter(limit: options.strangersRowsPerMinute)
      Writer(opening, opened, spool: spool, ballast: ballast, signer: signer, handoff: handoff)
        .start()
    } catch {
      // The first start has failed: what stands there isn't ours, and nothing is left beside it.
      if spool.isNew { ballast.giveBack() }
      spool.closeUnused()
      throw error
    }
  }

  deinit {
    close()
  }

  private static func signingKey(_ options: Options) throws(AuditError) -> Ed25519.PrivateKey {
    do {
      return try options.signingSeed.map { seed throws(CryptoError) in
        try Ed25519.PrivateKey(seed: seed)
      } ?? Ed25519.PrivateKey()
    } catch {
      throw AuditError(.unusable, "the key that signs the audit's checkpoints can't be made")
    }
  }

  /// An id for a request that starts now; rises whatever the clock does.
  public func newRequest(nowMicroseconds: Int64) -> RequestID {
    generator.next(nowMicroseconds: nowMicroseconds)
  }

  /// Records an intent, before any effect. nil: it can't be recorded and the request must be
  /// refused. Under `.continue` the ticket then records nothing and the gap is counted.
  public func begin(_ intent: borrowing Intent) -> Ticket? {
    let now = intent.startMicroseconds
    let isStranger = intent.isOfAStranger
    if isStranger {
      tick(nowMicroseconds: now)
      if let name = meter.count(intent.remoteIP) {
        return countFlood(name, intent.requestID, now) ?? unrecorded(intent)
      }
    }
    return take(intent, leaving: isStranger ? reserve : 0) ?? unrecorded(intent)
  }

  /// Takes a slot, if more than `rest` are free and the disk has room.
  private func take(_ intent: borrowing Intent, leaving rest: Int) -> Ticket? {
    if free.count <= rest, !isClosed { handoff.reclaim(into: &free) }
    guard !isClosed, hasSpace, free.count > rest, let slot = free.popLast() else { return nil }
    spool.begin(intent, slot: Int(slot))
    sequence &+= 1
    open[Int(slot)] = sequence
    handoff.begun.store(sequence, ordering: .releasing)
    return Ticket(requestID: intent.requestID, slot: slot, sequence: sequence)
  }

  /// Counts a request in a flood; its ticket records nothing more.
  private func countFlood(_ name: String, _ id: RequestID, _ now: Int64) -> Ticket? {
    var flood = meter.add(name, at: now)
    if flood == nil {
      let intent = Intent(floodFrom: name, id: newRequest(nowMicroseconds: now), at: now)
      guard let ticket = take(intent, leaving: reserve) else { return nil }
      meter.open(name, FloodMeter.Flood(ticket: ticket, intent: intent, last: now))
      flood = meter.add(name, at: now)
    }
    if let flood { amend(flood.ticket, flood.intent) }
    return .none(id)
  }

  /// Ends the counts of a minute that has passed. To be called now and then; the loop's thread.
  public func tick(nowMicroseconds now: Int64) {
    for flood in meter.turn(now) { complete(flood) }
  }

  private func complete(_ flood: FloodMeter.Flood) {
    let seconds = flood.last - flood.intent.startMicroseconds
    complete(
      flood.ticket, Completion(outcome: .ok, status: nil, durationMicroseconds: max(0, seconds)))
  }

  private func unrecorded(_ intent: borrowing Intent) -> Ticket? {
    let fate = onFailure == .refuse ? "requests were refused" : "requests were served unrecorded"
    let cause = hasSpace ? "no room in the spool" : "too little space on the audit's disk"
    handoff.countUnrecorded(
      atMicroseconds: intent.startMicroseconds, reason: "\(fate): \(cause)",
      isExhausted: free.isEmpty)
    return onFailure == .refuse ? nil : .none(intent.requestID)
  }

  /// Whether the disk has room for what is recorded now.
  private var hasSpace: Bool { refusing.isDisjoint(with: handoff.current) }

  /// Replaces the intent of a request in flight: more of it is known now. The id stays.
  public func amend(_ ticket: Ticket, _ intent: borrowing Intent) {
    guard isOpen(ticket) else { return }
    assert(intent.requestID == ticket.requestID)
    spool.amend(intent, slot: Int(ticket.slot))
    if ticket.sequence <= handoff.synced.load(ordering: .relaxed) {
      handoff.isAmended.store(true, ordering: .releasing)
    }
  }

  /// Records how a request ended; its row is visible within a second.
  public func complete(_ ticket: Ticket, _ completion: borrowing Completion) {
    guard isOpen(ticket) else { return }
    spool.complete(completion, of: ticket.requestID, slot: Int(ticket.slot))
    open[Int(ticket.slot)] = 0
    handoff.hand(
      CompletedSlot(
        slot: ticket.slot, sequence: ticket.sequence, completed: Self.monotonicMilliseconds()),
      reclaiming: &free)
  }

  private func isOpen(_ ticket: Ticket) -> Bool {
    ticket.sequence != 0 && !isClosed && open[Int(ticket.slot)] == ticket.sequence
  }

  /// Whether nothing is wrong with the record. While the database or the disk fails, requests
  /// are recorded in the spool as long as it has room. Any thread.
  public var isHealthy: Bool { currentProblems.isEmpty }

  /// What is wrong with the record now, a line each; it is over by itself when its cause is.
  public var problems: [String] { currentProblems.lines }

  private var currentProblems: Problems {
    handoff.problems(nowMilliseconds: Self.monotonicMilliseconds())
  }

  /// Requests that were not recorded since the start.
  public var unrecordedRequests: Int { handoff.unrecorded.load(ordering: .relaxed) }

  /// Rows that are complete and not in the database yet, and the age of the oldest. Any thread.
  public var backlog: (rows: Int, oldestMilliseconds: Int64) {
    let (slots, oldest) = handoff.backlog
    return (slots, oldest.map { max(0, Self.monotonicMilliseconds() - $0) } ?? 0)
  }

  /// Of the library in use.
  public static var sqliteVersion: String { String(cString: sqlite3_libversion()) }

  /// Damaged databases that were moved aside since the start, that of the start included.
  public var databasesMovedAside: Int { handoff.movedAside.load(ordering: .relaxed) }

  /// Waits until everything completed is committed; false: the database can't be written.
  @discardableResult
  public func flush() -> Bool {
    isClosed || handoff.flush()
  }

  /// Commits what is complete, marks the run's end and closes the files. Requests in flight
  /// stay in the spool and are `lost` at the next start.
  public func close() {
    guard !isClosed else { return }
    for flood in meter.end() { complete(flood) }
    isClosed = true
    handoff.stop()
  }

  /// The wall clock, microseconds since 1970.
  public static func wallMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
  }

  static func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func monotonicMilliseconds() -> Int64 {
    Int64(monotonicSeconds() * 1_000)
  }
}

extension AuditLog {
  /// Where the record is kept unless told otherwise: `globus-s3-frontend/audit.db` under
  /// `$STATE_DIRECTORY` (systemd), else `$XDG_STATE_HOME`, else `~/.local/state`.
  public static func defaultDatabasePath(environment: [String: String]) -> String {
    let file = "globus-s3-frontend/audit.db"
    // systemd gives a list of folders; the first is the service's own.
    if let state = environment["STATE_DIRECTORY"]?.split(separator: ":").first {
      return "\(state)/\(file)"
    }
    // The XDG specification: a relative path there is invalid and ignored.
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
      return "\(state)/\(file)"
    }
    return "\(environment["HOME"] ?? "/var/lib")/.local/state/\(file)"
  }

  private static func folder(of path: String) -> String {
    URL(fileURLWithPath: path).deletingLastPathComponent().path
  }

  private static func createFolder(of path: String) throws(AuditError) {
    let folder = folder(of: path)
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
    } catch {
      throw AuditError(
        .unusable, "cannot create the folder \(folder) of the audit database; check --audit-db")
    }
  }
}
