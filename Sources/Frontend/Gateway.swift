// Gateway: the one place with the order of a request: authenticate, route, authorise, record the
// intent, act, answer, record the end.
//
// Invariant: every request has exactly one row, begun before any call upstream and completed when
// its answer has ended, however that was.

import Audit
import Crypto
import Logging
import Reactor

@Loop public final class Gateway {
  let configuration: Configuration
  private let authenticator: Authenticator
  private let proxies: TrustedProxies
  private let audit: AuditLog
  private let collections: any CollectionOpening
  private let signIn: any SignInHandling
  private let tokens: ContinuationToken
  private let logger: Logger
  private(set) var admission: Admission
  private var isRefusing = false
  private let refusedConnections: RefusedConnections
  let metrics: Metrics

  init(
    _ configuration: Configuration, sealer: CredentialSealer, audit: AuditLog,
    collections: any CollectionOpening, signIn: any SignInHandling, tokens: ContinuationToken,
    metrics: Metrics = Metrics(), logger: Logger
  ) throws(GatewayError) {
    guard let proxies = TrustedProxies(configuration.trustedProxies) else {
      throw GatewayError(message: "--trusted-proxy takes networks such as 10.0.0.0/8")
    }
    self.configuration = configuration
    self.proxies = proxies
    authenticator = Authenticator(sealer: sealer, policy: configuration.signatures)
    admission = Admission(configuration)
    self.audit = audit
    self.collections = collections
    self.signIn = signIn
    self.tokens = tokens
    self.metrics = metrics
    self.logger = logger
    refusedConnections = RefusedConnections(logger, metrics)
  }

  /// A gateway to Globus. Throws what is wrong with the configuration.
  public convenience init(
    _ configuration: Configuration, keyring: Keyring, audit: AuditLog, logger: Logger
  ) throws(GatewayError) {
    try self.init(
      configuration, keyring: keyring, audit: audit, metrics: Metrics(), logger: logger)
  }

  /// The gateway to hand requests to from now on; those that this one has, it ends. Throws what is
  /// wrong with the configuration.
  public func successor(
    _ configuration: Configuration, keyring: Keyring
  ) throws(GatewayError) -> Gateway {
    let next = try Gateway(
      configuration, keyring: keyring, audit: audit, metrics: metrics, logger: logger)
    next.isRefusing = isRefusing
    admission.limit(as: configuration)
    next.admission = admission
    return next
  }

  /// Counts that an operator asked for a successor, and whether it was refused.
  public func countReload(isRefused: Bool) {
    metrics.reloads[isRefused ? 1 : 0] += 1
  }

  private convenience init(
    _ configuration: Configuration, keyring: Keyring, audit: AuditLog, metrics: Metrics,
    logger: Logger
  ) throws(GatewayError) {
    do {
      let sealer = try CredentialSealer(
        keyring: keyring, origin: configuration.baseURL.description)
      let transfer = try TransferClient(configuration, metrics: metrics.upstream)
      let collections = GlobusCollections(
        transfer: transfer,
        servers: try DataServerClient(configuration, metrics: metrics.upstream))
      let signIn = SignIn(
        configuration, keyring: keyring, sealer: sealer,
        auth: try AuthClient(configuration, metrics: metrics.upstream), transfer: transfer,
        logger: logger)
      try self.init(
        configuration, sealer: sealer, audit: audit, collections: collections, signIn: signIn,
        tokens: ContinuationToken(keyring), metrics: metrics, logger: logger)
    } catch let error as GatewayError {
      throw error
    } catch {
      throw GatewayError(message: "\(error)")
    }
  }

  /// A connection was reset for what its peer sent in place of a PROXY header.
  public func connectionRefused(peer: String, reason: String) {
    refusedConnections.record(peer: peer, reason: reason)
  }

  /// Answers one request, malformed ones included, and returns when the answer has ended.
  public func handle(_ exchange: Exchange) async {
    metrics.inFlight += 1
    let row = AuditRow(exchange, log: audit, proxies: proxies)
    let plan = plan(exchange, row)
    let isRecorded = isRecorded(row)
    var line: Admission.Line?
    var answer: Answer
    if !isRecorded {
      answer = .refusal(
        .unavailable("The request can't be recorded now. Please try again.", cause: "no slot"))
    } else if let plan {
      answer = await act(plan, exchange, row, &line)
    } else {
      let malformed = exchange.head.malformed
      answer = .refusal(
        S3Error(malformedStatus: malformed?.status ?? 400, reason: malformed?.reason ?? ""))
    }
    let sent = await send(&answer, exchange, row, close: plan == nil)
    complete(row, sent, &answer, exchange, isRecorded)
    metrics.inFlight -= 1
    line?.leave()
  }

  /// What the request asks for, told to the row as well; nil: it is malformed.
  private func plan(_ exchange: Exchange, _ row: AuditRow) -> RequestPlan? {
    guard exchange.head.malformed == nil else {
      row.describeMalformed()
      return nil
    }
    let plan = RequestPlan(
      exchange.head, baseURL: configuration.baseURL, authenticator: authenticator,
      collections: collections, now: exchange.startedAt.wall / 1_000_000)
    row.describe(plan)
    return plan
  }

  /// Takes the row's slot. Says so in the log when that begins to fail, and when it ends.
  private func isRecorded(_ row: AuditRow) -> Bool {
    let isRecorded = row.begin()
    if isRecorded == isRefusing {
      isRefusing = !isRecorded
      logger.log(
        level: isRecorded ? .notice : .error,
        isRecorded
          ? "requests are recorded again" : "requests are refused: the audit has no room")
    }
    return isRecorded
  }

  /// What to answer, and what the audit keeps of how it came about.
  private struct Answer {
    var reply: Reply?
    var error: S3Error?
    var facts = AuditRow.Facts()

    static func refusal(_ error: S3Error) -> Answer {
      Answer(
        error: error,
        facts: AuditRow.Facts(errorCode: error.code.rawValue, errorDetail: error.cause))
    }
  }

  private func complete(
    _ row: AuditRow, _ sent: Sent, _ answer: inout Answer, _ exchange: Exchange, _ isRecorded: Bool
  ) {
    // Nobody was told anything: the client left while upstream was still asked.
    if sent.status == 0, sent.outcome == .clientGone { answer.facts = AuditRow.Facts() }
    row.complete(sent, answer.facts)
    metrics.count(
      operation: row.intent.operation, sent, since: exchange.startedAt.clock, row.trace)
    if let detail = answer.facts.errorDetail, isRecorded {
      logger.warning(
        "request failed",
        metadata: [
          "request_id": "\(row.requestID)", "operation": "\(row.intent.operation)",
          "error_code": "\(answer.facts.errorCode ?? "")", "cause": "\(detail)",
        ])
    }
  }

  /// Sends an answer. One whose body breaks before a byte of it is out becomes a refusal.
  private func send(
    _ answer: inout Answer, _ exchange: Exchange, _ row: AuditRow, close: Bool
  ) async -> Sent {
    while true {
      var reply = answer.reply ?? refusal(answer.error, exchange.head, row.requestID)
      reply.headers.add("x-amz-request-id", row.requestID)
      reply.headers.add("x-amz-id-2", row.requestID)
      reply.headers.add(Self.server)
      let (sent, failure) = await reply.send(on: exchange, close: close)
      guard let sent else {
        answer = .refusal(
          .unavailable(
            "The collection's server broke off before the first byte. Please try again.",
            cause: failure?.description ?? ""))
        continue
      }
      if let failure, sent.outcome == .aborted {
        answer.facts.isUpstreamFailure = true
        answer.facts.errorCode = "UpstreamAborted"
        answer.facts.errorDetail = failure.description
      }
      return sent
    }
  }

  private static let server: Headers = ["Server": "globus-s3-frontend"]

  private func refusal(_ error: S3Error?, _ head: RequestHead, _ requestID: String) -> Reply {
    let error = error ?? S3Error(.internalError)
    var reply = Reply(status: error.status)
    for header in error.headers { reply.headers.add(header.name, header.value) }
    let resource = head.target.prefix { $0 != "?" }
    let body = error.body(resource: String(resource), requestID: requestID)
    reply.headers.add("Content-Type", "application/xml")
    if head.method == "HEAD" {
      reply.headers.add("x-amz-error-code", error.code.rawValue)
      reply.headers.add("x-amz-error-message", error.message)
      reply.body = .none(length: UInt64(body.count))
    } else {
      reply.body = .bytes(body)
    }
    return reply
  }

  private func act(
    _ plan: RequestPlan, _ exchange: Exchange, _ row: AuditRow, _ line: inout Admission.Line?
  ) async -> Answer {
    do throws(S3Error) {
      // What need not be waited for is not: an await costs more than most of what is done here.
      if plan.mayReadBody, exchange.head.hasBody {
        try await UnusedBody.drop(of: exchange, isRefused: plan.error != nil)
      }
      if let error = plan.error { throw error }
      try admission.requireRoom(for: metrics.inFlight)
      if plan.action == .authStart || plan.action == .authCallback {
        return await self.signIn(plan, exchange, row)
      }
      if let fingerprint = plan.authentication?.signer?.fingerprint {
        line = admission.place(for: fingerprint)
        if line == nil { line = try await admission.enter(fingerprint) }
      }
      let reply: Reply
      if let (action, request) = try objectRequest(plan, exchange.head, row.trace) {
        reply =
          action == .getObject
          ? try await GetObject.run(request)
          : try await perform(action, on: request, exchange.head)
      } else {
        reply = try await performOnBucket(plan, row.trace)
      }
      return Answer(reply: reply, facts: AuditRow.Facts(objectSize: reply.objectSize))
    } catch {
      return .refusal(error)
    }
  }

  /// What `plan` asks of an object; nil: it asks it of a bucket, or of the service.
  private func objectRequest(
    _ plan: RequestPlan, _ head: RequestHead, _ trace: UpstreamTrace
  ) throws(S3Error) -> (Action, ObjectRequest)? {
    guard let action = plan.action, let key = plan.key, let query = plan.query else { return nil }
    let (bucket, signInURL) = try bucket(plan)
    return (
      action,
      ObjectRequest(
        collection: bucket.collection, key: key, path: bucket.root + key.path,
        arguments: try ObjectArguments(query: query) { Self.value(of: $0, in: head) },
        trace: trace, signInURL: signInURL)
    )
  }

  /// A bucket with the credential's rights, and where a person signs in for it.
  private func bucket(
    _ plan: RequestPlan
  ) throws(S3Error) -> (OpenedBucket, signInURL: @Sendable () -> String) {
    guard let bucket = plan.bucket, let signer = plan.authentication?.signer else {
      throw S3Error(.internalError, cause: "an action without a bucket or a credential")
    }
    return (
      bucket,
      { [baseURL = configuration.baseURL] in
        SignInLink(renewing: signer.credential).url(at: baseURL)
      }
    )
  }

  private func performOnBucket(
    _ plan: RequestPlan, _ trace: UpstreamTrace
  ) async throws(S3Error) -> Reply {
    if plan.action == .listBuckets, let credential = plan.authentication?.signer?.credential {
      return Buckets.list(credential)
    }
    let (bucket, signInURL) = try bucket(plan)
    let (collection, root) = (bucket.collection, bucket.root)
    guard let action = plan.action, let query = plan.query else {
      throw S3Error(.internalError, cause: "a plan without an action")
    }
    switch action {
    case .createBucket: return Buckets.create(collection.id)
    case .listMultipartUploads: return try Buckets.uploads(collection.id, query)
    case .keepACL: return Reply(status: 200)
    case .probe(let name):
      if let probe = Probe.named(name) { return try Probes.answer(probe) }
    case .listObjects(let form):
      let listing = ListObjects(
        form: form, collection: collection, root: root, query: query, tokens: tokens, trace: trace,
        signInURL: signInURL)
      return try await listing.run()
    case .headBucket:
      return try await HeadBucket.run(
        collection, root: root.isEmpty ? "/" : root, trace: trace, signInURL: signInURL)
    default: break
    }
    throw S3Error(.internalError, cause: "\(action) is no action on a bucket")
  }

  private func perform(
    _ action: Action, on request: ObjectRequest, _ head: RequestHead
  ) async throws(S3Error) -> Reply {
    switch action {
    case .headObject: return try await HeadObject.run(request)
    case .getObjectAttributes:
      return try await GetObjectAttributes.run(
        request, asked: Self.value(of: "x-amz-object-attributes", in: head))
    case .keepACL: return try await Probes.keepACL(of: request)
    case .probe(let name):
      if let probe = Probe.named(name) { return try await Probes.answer(probe, about: request) }
    default: break
    }
    throw S3Error(.internalError, cause: "\(action) is no action on an object")
  }

  /// A header's value, of several lines joined as RFC 9110 section 5.3 has it.
  private static func value(of name: String, in head: RequestHead) -> String? {
    let values = head.headers.values(of: name)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }

  private func signIn(
    _ plan: RequestPlan, _ exchange: Exchange, _ row: AuditRow
  ) async -> Answer {
    let parameters = plan.query?.parameters ?? []
    var ids = plan.collection.map { [$0] } ?? []
    for parameter in parameters where parameter.name == "collection" {
      if let id = CollectionID(parameter.value), !ids.contains(id) { ids.append(id) }
    }
    let request = SignInRequest(
      head: exchange.head, host: exchange.head["host"]?.lowercased() ?? "",
      parameters: parameters.map { ($0.name, $0.value) },
      collections: plan.action == .authStart ? ids : [],
      isStrict: plan.query?.contains("strict") ?? false, requestID: row.requestID)
    let answer =
      plan.action == .authStart
      ? await signIn.start(request, trace: row.trace)
      : await signIn.callback(request, trace: row.trace)
    return Answer(
      reply: Reply(status: answer.status, headers: answer.headers, body: .bytes(answer.body)),
      facts: AuditRow.Facts(errorCode: answer.errorCode, signIn: answer))
  }
}

/// Why a gateway can't be made; `message` says what to change.
public struct GatewayError: Error, Sendable, CustomStringConvertible {
  public let message: String
  public var description: String { message }
}
