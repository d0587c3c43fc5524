// AuditRow: one request's entry in the audit, from what was asked to how it ended.
//
// Nothing of a query, no header but User-Agent and Range, and no access key id comes in here.

import Audit
import Reactor

@Loop final class AuditRow {
  private(set) var intent: Intent
  let requestID: String
  let trace = UpstreamTrace()
  private let log: AuditLog
  private let startedAt: UInt64
  private var ticket: AuditLog.Ticket?

  init(_ exchange: Exchange, log: AuditLog, proxies: TrustedProxies) {
    self.log = log
    startedAt = exchange.startedAt.clock
    let head = exchange.head
    let id = log.newRequest(nowMicroseconds: exchange.startedAt.wall)
    requestID = id.description
    intent = Intent(
      requestID: id,
      startMicroseconds: exchange.startedAt.wall, method: head.method, operation: "Unknown",
      remoteIP: proxies.client(
        peer: exchange.clientAddress, forwarded: head.headers.values(of: "x-forwarded-for")),
      peerIP: exchange.peerAddress, userAgent: head["user-agent"] ?? "")
    trace.requestID = intent.requestID
    intent.host = head["host"]
    intent.range = head["range"]
  }

  /// What the request asks for, as far as it could be understood.
  func describe(_ plan: RequestPlan) {
    intent.operation = plan.operation
    intent.collectionID = plan.bucket?.name ?? plan.collection?.description
    intent.objectKey = plan.objectKey
    guard let who = plan.authentication else { return }
    intent.auth = who.auth
    intent.authResult = who.result
    intent.credentialFingerprint = who.signer?.fingerprint
    intent.identityID = who.signer?.identityID
    intent.username = who.signer?.credential.username
  }

  func describeMalformed() { intent.operation = "Malformed" }

  /// Takes the record's slot. False: the request can't be recorded and must be refused.
  func begin() -> Bool {
    ticket = log.begin(intent)
    return ticket != nil
  }

  /// How an answer came about, beyond what its sending shows.
  struct Facts: Sendable {
    var errorCode: String?
    /// For operators; no secret.
    var errorDetail: String?
    /// The body broke because of the server behind.
    var isUpstreamFailure = false
    var objectSize: UInt64?
    /// Of a sign-in.
    var signIn: SignInReply?
  }

  /// Completes the row. Does nothing for a request that could not be recorded.
  func complete(_ sent: Sent, _ facts: Facts) {
    guard let ticket else { return }
    var completion = Completion(
      outcome: Self.outcome(sent, isUpstreamFailure: facts.isUpstreamFailure),
      status: sent.status == 0 ? nil : sent.status,
      durationMicroseconds: Int64(clamping: max(sent.end, startedAt) - startedAt))
    completion.errorCode = facts.errorCode
    completion.errorDetail = facts.errorDetail
    completion.bytesIn = Int64(clamping: sent.bytesIn)
    completion.bytesOut = Int64(clamping: sent.bodyBytes)
    if let first = sent.firstByte {
      completion.timeToFirstByteMicroseconds = Int64(
        clamping: max(first, startedAt) - startedAt)
    }
    completion.objectSize = facts.objectSize.map { Int64(clamping: $0) }
    completion.upstreamHost = trace.host
    completion.upstreamStatus = trace.status
    completion.upstreamCalls = trace.calls
    if let root = facts.signIn?.rootFolder {
      // Keys are recorded as the client names them; with this one the file's path is known.
      intent.objectKey = String(root.description.drop { $0 == "/" })
      log.amend(ticket, intent)
    }
    completion.identityID = facts.signIn?.identityID
    completion.username = facts.signIn?.username
    completion.credentialFingerprint = facts.signIn?.credentialFingerprint
    completion.collectionIDs = facts.signIn?.collections.map(\.description) ?? []
    log.complete(ticket, completion)
    self.ticket = nil
  }

  private static func outcome(_ sent: Sent, isUpstreamFailure: Bool) -> Outcome {
    switch sent.outcome {
    case .clientGone: .clientAbort
    case .timeout: .timeout
    case .aborted: isUpstreamFailure ? .upstreamAbort : .serverError
    case .complete:
      switch sent.status {
      case ..<400: .ok
      case ..<500: .clientError
      default: .serverError
      }
    }
  }
}
