// A sign-in end to end: the flow behind a listener, LocalGlobus behind it, a browser before it.

import LocalGlobus
import Logging
import Reactor

@testable import Frontend

/// A browser as far as a sign-in needs one: it keeps cookies and follows nothing by itself.
@Loop final class SignInBrowser {
  struct Page: Sendable {
    let head: ResponseHead
    let body: String
    var status: Int { head.status }
    var location: String { head.headers["Location"] ?? "" }
    var cookies: [String] {
      head.headers.fields.filter { $0.name.lowercased() == "set-cookie" }.map(\.value)
    }
  }

  private let http: HTTPClient
  var cookies: [(name: String, value: String)] = []

  init() throws(ReactorError) {
    var configuration = HTTPClient.Configuration()
    configuration.allowAnyAddress = true
    configuration.allowPlainHTTP = true
    http = try HTTPClient(configuration)
  }

  func get(
    _ url: String, accept: String? = nil, host: String? = nil, method: String = "GET"
  ) async throws -> Page {
    var headers = Headers()
    if let accept { headers.add("Accept", accept) }
    if let host { headers.add("Host", host) }
    if !cookies.isEmpty {
      headers.add("Cookie", cookies.map { "\($0.name)=\($0.value)" }.joined(separator: "; "))
    }
    let page = try await send(TransferRequest(method, url, headers: headers))
    for line in page.cookies {
      let pair = line.prefix { $0 != ";" }.split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      cookies.removeAll { $0.name == pair[0] }
      if !line.contains("Max-Age=0") { cookies.append((String(pair[0]), String(pair[1]))) }
    }
    return page
  }

  /// Answers Globus's consent form at `url`; the address that Globus sends the browser to.
  func consent(_ decision: String, at url: String) async throws -> String {
    let parts = url.split(separator: "?", maxSplits: 1)
    let page = try await send(
      TransferRequest(
        "POST", String(parts[0]),
        headers: ["Content-Type": "application/x-www-form-urlencoded"],
        body: Array("\(parts[1])&decision=\(decision)".utf8)))
    return page.location
  }

  private func send(_ request: TransferRequest) async throws -> Page {
    let (head, body) = try await http.fetch(request, limit: 1 << 20)
    return Page(head: head, body: String(decoding: body, as: UTF8.self))
  }
}

@Loop final class SignInBed {
  nonisolated static let mapped = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
  nonisolated static let guest = CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!
  nonisolated static let assured = CollectionID("1b6d2c9e-0000-4000-8000-00000000cccc")!

  let folder: TemporaryFolder
  let local: LocalGlobus
  let sealer: CredentialSealer
  let collections: GlobusCollections
  let browser: SignInBrowser
  let baseURL: BaseURL
  /// What the gateway would record of each answer, and what each cost.
  private(set) var replies: [SignInReply] = []
  private(set) var traces: [UpstreamTrace] = []
  private let server: Server
  private let box: Box

  @Loop private final class Box {
    var handler: Server.Handler?
  }

  /// `transferURL` stands for Transfer in place of LocalGlobus's own.
  init(
    signatures: SignaturePolicy = .any, transferURL: String? = nil, authURL: String? = nil,
    clientSecret: String? = nil
  ) throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    _ = folder.write("hello", to: "example.txt")
    let box = Box()
    self.box = box
    let server = try Server(Server.Configuration(host: "127.0.0.1", port: 0)) { exchange in
      await box.handler?(exchange)
    }
    self.server = server
    let baseURL = BaseURL("http://127.0.0.1:\(server.port)")!
    self.baseURL = baseURL
    var served = LocalGlobusConfiguration(
      collections: [Self.mapped, Self.guest, Self.assured].map {
        .init(id: $0.description, directory: folder.path, displayName: "Lab <data>")
      }, workDirectory: folder.path)
    served.collections[1].kind = .guest
    served.collections[2].highAssurance = true
    served.redirectURIs = ["\(baseURL)/?auth-callback"]
    local = try LocalGlobus(served)
    var configuration = Configuration(
      baseURL: baseURL, clientID: served.clientID,
      clientSecret: clientSecret ?? served.clientSecret)
    configuration.signatures = signatures
    configuration.upstreamCA = local.caFile
    configuration.allowPrivateUpstream = ["127.0.0.0/8", "::1/128"]
    configuration.authURL = authURL ?? local.authURL
    configuration.transferURL = transferURL ?? local.transferURL
    let keyring = Keyring.random()
    sealer = try CredentialSealer(keyring: keyring, origin: baseURL.description)
    let transfer = try TransferClient(configuration)
    collections = GlobusCollections(
      transfer: transfer, servers: try DataServerClient(configuration))
    browser = try SignInBrowser()
    let signIn = SignIn(
      configuration, keyring: keyring, sealer: sealer, auth: try AuthClient(configuration),
      transfer: transfer, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    box.handler = { [weak self] in await self?.answer($0, by: signIn) }
  }

  func close() {
    server.close()
    local.close()
    box.handler = nil
  }

  /// The page at the end of a sign-in that began at `path`, with every consent given.
  func signIn(_ path: String, accept: String? = nil) async throws -> SignInBrowser.Page {
    var page = try await browser.get("\(baseURL)\(path)", accept: accept)
    while page.status == 303 {
      let back = try await browser.consent("approve", at: page.location)
      page = try await browser.get(back, accept: accept)
    }
    return page
  }

  /// What the gateway does: address and query apart, the reply sent.
  private func answer(_ exchange: Exchange, by signIn: SignIn) async {
    let head = exchange.head
    let host = (head["Host"] ?? "").lowercased()
    guard
      let address = try? RequestAddress(host: host, target: head.target, baseHost: baseURL.host),
      let query = try? Query(address.encodedQuery)
    else { return }
    let named = query.parameters.filter { $0.name == "collection" }
      .compactMap { CollectionID($0.value) }
    let bucket = try? address.collection()
    let ids = address.bucket == nil ? named : bucket.map { [$0] } ?? []
    let request = SignInRequest(
      head: head, host: host, parameters: query.parameters.map { ($0.name, $0.value) },
      collections: ids, isStrict: query.contains("strict"), requestID: "REQUEST")
    let trace = UpstreamTrace()
    let reply =
      query.contains("auth-callback")
      ? await signIn.callback(request, trace: trace) : await signIn.start(request, trace: trace)
    replies.append(reply)
    traces.append(trace)
    _ = await exchange.respond(reply.status, reply.headers, body: reply.body)
  }
}
