// A collection over real sockets: what is asked of Transfer and of the collection's server, how
// often, and with which token.

import Reactor
import Testing

@testable import Frontend

private let id = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let granted = id
private let stat = #"{"type": "file", "size": 5, "last_modified": "1970-01-01 00:01:00+00:00"}"#
private let fault = "GlobusError: v=1 c=INTERNAL_ERROR\nGridFTP-Errno: 108\n"

@Suite struct GlobusCollectionTests {
  init() { Loop.runInBackground() }

  /// Transfer, a collection's server, and clients for both.
  @Loop private final class Bench {
    let folder: TemporaryFolder
    let transfer: GlobusUpstream
    let data: GlobusUpstream
    let collections: GlobusCollections
    let trace = UpstreamTrace()

    init(
      allowed: [String] = ["127.0.0.0/8", "::1/128"],
      stat answer: @escaping @Loop @Sendable (RequestHead, Int) async -> GlobusUpstream.Answer = {
        _, _ in .init(200, stat)
      },
      data: @escaping @Loop @Sendable (RequestHead, Int) async -> GlobusUpstream.Answer = {
        _, _ in .init(200, "hello")
      }
    ) throws {
      folder = try TemporaryFolder()
      let tls = try folder.identity()
      transfer = try GlobusUpstream(answer)
      self.data = try GlobusUpstream(tls: tls.identity, data)
      var configuration = Configuration(
        baseURL: BaseURL("http://localhost:8000")!, clientID: "app", clientSecret: "s")
      configuration.upstreamCA = tls.caFile
      configuration.transferURL = transfer.url
      configuration.allowPrivateUpstream = allowed
      collections = GlobusCollections(
        transfer: try TransferClient(configuration), servers: try DataServerClient(configuration))
    }

    func open(
      _ fingerprint: String = "F", token: String = "AgT", id: CollectionID = id
    ) -> any Frontend.Collection {
      let credential = Credential(
        isStrict: false, issuedAt: 0, expiresAt: 1, sessionID: 0,
        identity: IdentityID("5ca1ab1e-0000-4000-8000-000000000001")!, username: "a",
        collections: [
          CollectionGrant(
            collection: granted, httpsHost: "localhost:\(data.port)",
            https: Token(secret: Secret("AgH"), expiresAt: 1))
        ], transfer: Token(secret: Secret(token), expiresAt: 1))
      return collections.open(id, credential: credential, fingerprint: fingerprint)
    }
  }

  private static func error(
    _ body: @Loop () async throws(GlobusError) -> Void
  ) async -> GlobusError? {
    do throws(GlobusError) {
      try await body()
      return nil
    } catch {
      return error
    }
  }

  @Test func statAsksTransferOncePerCredentialAndPath() async throws {
    try await onLoop {
      let bench = try Bench()
      let path = "/a b/ü?#%.txt"
      for _ in 0..<3 {
        let status = try await bench.open().stat(path, trace: bench.trace)
        #expect(status == FileStatus(kind: .file, size: 5, modified: 60))
      }
      #expect(bench.transfer.requests.count == 1)
      let asked = bench.transfer.requests[0]
      #expect(
        asked.target
          == "/v0.10/operation/endpoint/\(id)/stat?path=/a%20b/%C3%BC%3F%23%25.txt")
      #expect(asked["Authorization"] == "Bearer AgT")
      _ = try await bench.open().stat("/other", trace: bench.trace)
      _ = try await bench.open("G").stat(path, trace: bench.trace)
      _ = try await bench.open().freshStat(path, trace: bench.trace)
      #expect(bench.transfer.requests.count == 4)
      #expect(bench.trace.calls == 4)
      #expect(bench.trace.status == 200 && bench.trace.host == "127.0.0.1")
    }
  }

  @Test func statsAtTheSameTimeShareACall() async throws {
    try await onLoop {
      let bench = try Bench(stat: { _, _ in
        await Loop.sleep(milliseconds: 50)
        return .init(200, stat)
      })
      async let first = bench.open().stat("/x", trace: bench.trace)
      async let second = bench.open().stat("/x", trace: bench.trace)
      let both = try await [first, second]
      #expect(both.map(\.size) == [5, 5])
      #expect(bench.transfer.requests.count == 1)
    }
  }

  @Test func errorsAreNotRemembered() async throws {
    try await onLoop {
      let bench = try Bench(stat: { _, number in
        number == 1
          ? .init(404, #"{"code": "NotFound", "message": ""}"#) : .init(200, stat)
      })
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().stat("/x", trace: bench.trace)
      }
      #expect(error == .notFound)
      #expect(bench.trace.status == 404)
      #expect(try await bench.open().stat("/x", trace: bench.trace).size == 5)
    }
  }

  @Test func readsSendTheCollectionsTokenAndTheRange() async throws {
    try await onLoop {
      let bench = try Bench(data: { _, _ in
        .init(206, "ell", headers: ["Content-Range": "bytes 1-3/*"])
      })
      let transfer = try await bench.open().read(
        "/a +b", range: 1...3, trace: bench.trace)
      #expect(try await transfer.collect(limit: 10) == Array("ell".utf8))
      let asked = bench.data.requests[0]
      #expect(asked.target == "/a%20%2Bb")
      #expect(asked["Authorization"] == "Bearer AgH")
      #expect(asked["X-Requested-With"] == "XMLHttpRequest")
      #expect(asked["Range"] == "bytes=1-3")
      #expect(bench.trace.host == "localhost:\(bench.data.port)")
      #expect(bench.trace.status == 206 && bench.trace.calls == 1)
      #expect(bench.transfer.requests.isEmpty)
    }
  }

  @Test func aDoubtfulAnswerIsAskedForOnceMore() async throws {
    try await onLoop {
      let bench = try Bench(data: { _, number in
        number == 1 ? .init(404, fault) : .init(200, "hello")
      })
      let transfer = try await bench.open().read("/x", range: nil, trace: bench.trace)
      #expect(try await transfer.collect(limit: 10) == Array("hello".utf8))
      #expect(bench.data.requests.count == 2 && bench.trace.calls == 2)
    }
  }

  @Test(arguments: [
    (404, fault, 4, GlobusError.unavailable("the collection's server answered 404")),
    (200, "", 1, nil),
    (404, "c=PATH_NOT_FOUND", 1, .notFound),
    (401, "", 1, .expired), (302, "", 1, .expired), (403, "", 1, .denied),
    (416, "", 1, .invalidRange),
    (206, "x", 4, .unavailable("the collection's server answered 206")),
  ])
  func whatReadsThrow(
    status: Int, body: String, attempts: Int, expected: GlobusError?
  ) async throws {
    try await onLoop {
      let bench = try Bench(data: { _, _ in .init(status, body) })
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().read("/x", range: nil, trace: bench.trace)
      }
      #expect(error == expected)
      #expect(bench.data.requests.count == attempts)
    }
  }

  @Test(arguments: [(302, GlobusError.expired), (401, .expired), (403, .denied)])
  func anOversizedRefusalIsStillOne(status: Int, expected: GlobusError) async throws {
    try await onLoop {
      let page = "<html>" + String(repeating: "x", count: GlobusLimits.faultBytes)
      let bench = try Bench(data: { _, _ in .init(status, page) })
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().read("/x", range: nil, trace: bench.trace)
      }
      #expect(error == expected)
    }
  }

  @Test func anOversizedErrorIsDoubtful() async throws {
    try await onLoop {
      let body = String(repeating: "x", count: GlobusLimits.faultBytes) + "c=PATH_NOT_FOUND"
      let bench = try Bench(data: { _, _ in .init(404, body) })
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().read("/x", range: nil, trace: bench.trace)
      }
      #expect(bench.data.requests.count == 1 + GlobusLimits.readRetries)
      guard case .unavailable = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  @Test func privateAddressesAreRefusedUnlessAllowed() async throws {
    try await onLoop {
      let bench = try Bench(allowed: [])
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().read("/x", range: nil, trace: bench.trace)
      }
      guard case .addressRefused(let text) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(text.contains("127.0.0.1") || text.contains("::1"))
      #expect(bench.data.requests.isEmpty)
    }
  }

  @Test func aCollectionOutsideTheCredentialIsDenied() async throws {
    try await onLoop {
      let bench = try Bench()
      let other = bench.open(id: CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!)
      for error in [
        await Self.error { () async throws(GlobusError) in
          _ = try await other.stat("/x", trace: bench.trace)
        },
        await Self.error { () async throws(GlobusError) in
          _ = try await other.freshStat("/x", trace: bench.trace)
        },
        await Self.error { () async throws(GlobusError) in
          _ = try await other.read("/x", range: nil, trace: bench.trace)
        },
      ] { #expect(error == .denied) }
      #expect(bench.transfer.requests.isEmpty && bench.data.requests.isEmpty)
    }
  }

  /// Also of the data server; scopes of a foreign collection are nothing to sign in for.
  @Test(arguments: [401, 403])
  func demandsOfTheServerAreThoseOfTheError(status: Int) async throws {
    try await onLoop {
      let foreign = GlobusScopes.https(CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!)
      let body =
        #"{"authorization_parameters": {"session_required_single_domain": ["uni.example"], "#
        + #""required_scopes": ["\#(GlobusScopes.https(id))", "\#(foreign)"]}}"#
      let bench = try Bench(data: { _, _ in .init(status, body) })
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().read("/x", range: nil, trace: bench.trace)
      }
      guard case .signInRequired(let requirements) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(requirements.domains == ["uni.example"])
      #expect(requirements.scopes.map(\.text) == [GlobusScopes.https(id)])
      #expect(bench.data.requests.count == 1)
    }
  }

  @Test func anOversizedDocumentIsUnavailable() async throws {
    try await onLoop {
      let padding = String(repeating: " ", count: GlobusLimits.documentBytes)
      let bench = try Bench(stat: { _, _ in .init(200, stat + padding) })
      let error = await Self.error { () async throws(GlobusError) in
        _ = try await bench.open().stat("/x", trace: bench.trace)
      }
      guard case .unavailable = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }
}
