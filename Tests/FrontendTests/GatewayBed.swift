// A gateway on loopback, with a collection in memory behind it whose bytes come from a second
// server that each test scripts.

import Audit
import Crypto
import FoundationEssentials
import Logging
import Testing

@testable import Frontend
@testable import Reactor

@Loop final class MemoryCollection: Frontend.Collection {
  let id: CollectionID
  var files: [String: FileStatus] = [:]
  /// What `freshStat` finds when that differs.
  var freshFiles: [String: FileStatus] = [:]
  var statError: GlobusError?
  var readError: GlobusError?
  var errorAfterFirstRead: GlobusError?
  /// A folder that can't be listed.
  var deniedFolder: String?
  private(set) var asked: [String] = []
  /// Of each read.
  private(set) var connections: [TransferRequest.Connection] = []
  private let client: HTTPClient
  private let upstream: UInt16

  init(id: CollectionID, client: HTTPClient, upstream: UInt16) {
    self.id = id
    self.client = client
    self.upstream = upstream
  }

  func remembered(_ path: String) -> RememberedFile? { nil }

  func stat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus {
    asked.append("stat \(path)")
    trace.calls += 1
    if let statError { throw statError }
    guard let file = files[path] else { throw .notFound }
    return file
  }

  func freshStat(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> FileStatus {
    if let file = freshFiles[path] {
      asked.append("fresh \(path)")
      return file
    }
    return try await stat(path, trace: trace)
  }

  func list(_ path: String, trace: UpstreamTrace) async throws(GlobusError) -> [FolderEntry] {
    asked.append("list \(path)")
    trace.calls += 1
    if let statError { throw statError }
    if path == deniedFolder { throw .denied }
    let folder = path == "/" ? "/" : path + "/"
    guard path == "/" || files[path]?.kind == .directory else { throw .notFound }
    return files.compactMap { file, status in
      guard file.hasPrefix(folder), !file.dropFirst(folder.count).contains("/") else { return nil }
      return FolderEntry(name: String(file.dropFirst(folder.count)), status: status)
    }
  }

  func read(
    _ path: String, range: ClosedRange<UInt64>?, over connection: TransferRequest.Connection,
    trace: UpstreamTrace
  ) async throws(GlobusError) -> Transfer {
    asked.append("read \(path)" + (range.map { " \($0.lowerBound)-\($0.upperBound)" } ?? ""))
    connections.append(connection)
    trace.calls += 1
    if let readError { throw readError }
    if let errorAfterFirstRead, connections.count > 1 { throw errorAfterFirstRead }
    var request = TransferRequest(
      "GET", "http://127.0.0.1:\(upstream)\(PercentEncoding.path(path))")
    if let range { request.headers.add("Range", "bytes=\(range.lowerBound)-\(range.upperBound)") }
    request.connection = connection
    do {
      return try await client.start(request)
    } catch {
      throw .unavailable("\(error)")
    }
  }
}

@Loop final class OneCollection: CollectionOpening {
  let collection: MemoryCollection
  init(_ collection: MemoryCollection) { self.collection = collection }
  func open(
    _ id: CollectionID, credential: Credential, fingerprint: String
  ) -> any Frontend.Collection { collection }
}

@Loop final class ScriptedSignIn: SignInHandling {
  private(set) var requests: [SignInRequest] = []
  var reply = SignInReply(status: 303, headers: ["Location": "https://auth.example.org/"])

  func start(_ request: SignInRequest, trace: UpstreamTrace) async -> SignInReply {
    requests.append(request)
    return reply
  }

  func callback(_ request: SignInRequest, trace: UpstreamTrace) async -> SignInReply {
    requests.append(request)
    return reply
  }
}

struct Answer: Sendable {
  let status: Int
  let headers: Headers
  let body: String

  /// The code of an S3 error's body.
  var code: String? {
    guard let start = body.firstRange(of: "<Code>"), let end = body.firstRange(of: "</Code>") else {
      return nil
    }
    return String(body[start.upperBound..<end.lowerBound])
  }
}

@Loop final class GatewayBed {
  nonisolated static let bucket = "6d8f2e3a-1b2c-4d5e-8f90-a1b2c3d4e5f6"
  nonisolated static let modified: Int64 = 784_111_777

  let collection: MemoryCollection
  let signIn = ScriptedSignIn()
  let audit: AuditLog
  let metrics = Metrics()
  let gateway: Gateway
  private let sealer: CredentialSealer
  private let client: HTTPClient
  private let server: Server
  private let upstream: Server
  private let folder: String

  /// `upstream` answers what the collection is asked to read.
  init(
    policy: SignaturePolicy = .any, spoolSlots: Int = 64, proxies: [String] = [],
    upstream: @escaping Server.Handler = { _ = await $0.respond(500, [:]) }
  ) throws {
    var plain = HTTPClient.Configuration()
    plain.allowPlainHTTP = true
    plain.allowAnyAddress = true
    client = try HTTPClient(plain)
    self.upstream = try Server(
      Server.Configuration(host: "127.0.0.1", port: 0), handler: upstream)
    collection = MemoryCollection(
      id: try #require(CollectionID(Self.bucket)), client: client, upstream: self.upstream.port)
    folder =
      FileManager.default.temporaryDirectory.path + "/gateway-" + Hex.encode(Random.bytes(8))
    var options = AuditLog.Options(databasePath: folder + "/audit.db")
    options.spoolSlots = spoolSlots
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    audit = try AuditLog(options, logger: logger)
    var configuration = Configuration(
      baseURL: try #require(BaseURL("http://localhost:8000")), clientID: "id", clientSecret: "x")
    configuration.signatures = policy
    configuration.trustedProxies = proxies
    let keyring = Keyring.random()
    sealer = try CredentialSealer(keyring: keyring, origin: configuration.baseURL.description)
    configuration.authURL = "http://127.0.0.1:9"  // nobody's
    let gateway = try Gateway(
      configuration, sealer: sealer, audit: audit, collections: OneCollection(collection),
      signIn: signIn, tokens: ContinuationToken(keyring), metrics: metrics,
      logger: logger)
    self.gateway = gateway
    server = try Server(Server.Configuration(host: "127.0.0.1", port: 0)) {
      await gateway.handle($0)
    }
  }

  func close() {
    server.close()
    upstream.close()
    audit.close()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// A file of `body` that the upstream is expected to have.
  func addFile(_ path: String, size: Int) {
    collection.files[path] = FileStatus(
      kind: .file, size: UInt64(size), modified: Self.modified)
  }

  func credential(
    strict: Bool = false, expiresIn seconds: Int64 = 600, bucket: String = bucket
  ) throws -> SealedCredential {
    let now = Loop.wallClockMicroseconds / 1_000_000
    let token = Token(secret: Secret("token"), expiresAt: now + 600)
    let grant = CollectionGrant(
      collection: try #require(CollectionID(bucket)), rootFolder: nil,
      httpsHost: "data.example.org", https: token, httpsRefresh: nil)
    let identity = try #require(IdentityID("00000000-0000-4000-8000-000000000001"))
    return try sealer.seal(
      Credential(
        isStrict: strict, issuedAt: now - 60, expiresAt: now + seconds, sessionID: 1,
        identity: identity, username: "ada@example.org", collections: [grant], transfer: token,
        transferRefresh: nil))
  }

  /// Sends a request as it stands.
  func send(
    _ method: String, _ target: String, _ headers: Headers = [:]
  ) async throws(TransferError) -> Answer {
    let request = TransferRequest(
      method, "http://127.0.0.1:\(server.port)\(target)", headers: headers)
    let (head, body) = try await client.fetch(request, limit: 1 << 20)
    return Answer(
      status: head.status, headers: head.headers, body: String(decoding: body, as: UTF8.self))
  }

  /// Sends a request of the bucket's, signed with `key` and `secret`, or with no valid secret.
  func ask(
    _ method: String, _ path: String, query: String = "", _ extra: Headers = [:],
    key: SealedCredential? = nil, secret: Secret = Secret("anything")
  ) async throws -> Answer {
    let path = "/\(Self.bucket)\(path)"
    let signed = try headers(method, path, query, key: key ?? credential(), secret: secret)
    var headers = extra
    for field in signed.fields { headers.add(field.name, field.value) }
    return try await send(method, path + (query.isEmpty ? "" : "?" + query), headers)
  }

  /// Asks for an object of the bucket's and leaves once the answer's head has come.
  func leave(_ path: String) async throws {
    let path = "/\(Self.bucket)\(path)"
    let signed = try headers("GET", path, "", key: credential(), secret: Secret("anything"))
    let transfer = try await client.start(
      TransferRequest("GET", "http://127.0.0.1:\(server.port)\(path)", headers: signed))
    #expect(transfer.head.status == 200)
    transfer.cancel()
  }

  /// The bytes of an object of the bucket's.
  func bytes(_ path: String, _ extra: Headers) async throws -> [UInt8] {
    let path = "/\(Self.bucket)\(path)"
    var headers = extra
    let signed = try self.headers("GET", path, "", key: credential(), secret: Secret("anything"))
    for field in signed.fields { headers.add(field.name, field.value) }
    let request = TransferRequest("GET", "http://127.0.0.1:\(server.port)\(path)", headers: headers)
    return try await client.fetch(request, limit: 16 << 20).body
  }

  private func headers(
    _ method: String, _ path: String, _ query: String, key: SealedCredential, secret: Secret
  ) throws -> Headers {
    var headers = Headers()
    let date = SignedHeaders.date(Loop.wallClockMicroseconds / 1_000_000)
    let host = "127.0.0.1:\(server.port)"
    headers.add("x-amz-date", date)
    headers.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    headers.add(
      "Authorization",
      try SignedHeaders.authorization(
        method, path, query, host: host, date: date, key: key.accessKeyID, secret: secret))
    return headers
  }

  /// The audit's row for an answer, by column.
  func row(_ answer: Answer) throws -> [String: String] {
    let text = try #require(answer.headers["x-amz-request-id"])
    let id = try #require(RequestID(text))
    #expect(audit.flush())
    let row = try QueryReader(path: folder + "/audit.db").show(id)
    let columns = try #require(row, "no row for \(text)")
    return Dictionary(uniqueKeysWithValues: columns.map { ($0.column, $0.value.description) })
  }

  /// Values of one column of all rows, oldest first.
  func column(_ name: String, of table: String = "requests") throws -> [String] {
    #expect(audit.flush())
    var lines: [String] = []
    var output = QueryOutput(.csv, width: nil, isTerminal: false) { lines.append($0) }
    let reader = try QueryReader(path: folder + "/audit.db")
    try reader.sql("SELECT \(name) FROM \(table) ORDER BY id", &output)
    return lines.dropFirst().map { String($0.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" }) }
  }
}

/// A signer apart from the verifier's code, but for the canonical request.
enum SignedHeaders {
  static func date(_ seconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(
      Date.ISO8601FormatStyle(
        dateSeparator: .omitted, dateTimeSeparator: .standard, timeSeparator: .omitted))
  }

  static func authorization(
    _ method: String, _ path: String, _ query: String, host: String, date: String, key: String,
    secret: Secret
  ) throws -> String {
    let scope = "\(date.prefix(8))/globus/s3/aws4_request"
    let parameters = query.split(separator: "&").map { $0.contains("=") ? "\($0)" : "\($0)=" }
    let canonical = """
      \(method)
      \(path)
      \(parameters.sorted().joined(separator: "&"))
      host:\(host)
      x-amz-content-sha256:UNSIGNED-PAYLOAD
      x-amz-date:\(date)

      host;x-amz-content-sha256;x-amz-date
      UNSIGNED-PAYLOAD
      """
    let signature = sign(canonical, date: date, scope: scope, secret: secret)
    return "AWS4-HMAC-SHA256 Credential=\(key)/\(scope), "
      + "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=\(signature)"
  }

  /// The query of a presigned GET.
  static func presigned(
    _ path: String, host: String, date: String, expires: Int, key: String, secret: Secret
  ) -> String {
    let scope = "\(date.prefix(8))/globus/s3/aws4_request"
    let query =
      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
      + PercentEncoding.component("\(key)/\(scope)")
      + "&X-Amz-Date=\(date)&X-Amz-Expires=\(expires)&X-Amz-SignedHeaders=host"
    let canonical = "GET\n\(path)\n\(query)\nhost:\(host)\n\nhost\nUNSIGNED-PAYLOAD"
    return query + "&X-Amz-Signature="
      + sign(canonical, date: date, scope: scope, secret: secret)
  }

  private static func sign(
    _ canonical: String, date: String, scope: String, secret: Secret
  ) -> String {
    var key = Array("AWS4\(secret.value)".utf8)
    for part in scope.split(separator: "/") {
      key = HMACSHA256.authenticate(part.utf8, key: key)
    }
    let text = "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(Hex.encode(SHA256.hash(canonical.utf8)))"
    return Hex.encode(HMACSHA256.authenticate(text.utf8, key: key))
  }
}

/// Runs each test on the loop, as all request logic runs: left alone a task of the testing library's
/// would leave the loop's thread at every `await`.
struct OnLoop: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?,
    performing body: @concurrent @Sendable () async throws -> Void
  ) async throws {
    Loop.runInBackground()
    try await withTaskExecutorPreference(LoopExecutor.shared) { try await body() }
  }
}

extension Trait where Self == OnLoop {
  static var onLoop: OnLoop { OnLoop() }
}
