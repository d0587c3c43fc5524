// Which failures are tried again, on which node, and how often.

import Reactor
import Testing

@testable import Frontend

private let fault = "GlobusError: v=1 c=INTERNAL_ERROR\nGridFTP-Errno: 108\n"
private let stat = #"{"type": "file", "size": 5, "last_modified": "1970-01-01 00:01:00+00:00"}"#

@Suite struct GlobusRetriesTests {
  init() { Loop.runInBackground() }

  @Test func faultsAreTriedAgainAFewTimesAndNeverAtOnce() {
    var retries = Retries(limit: 3)
    for n in 1...3 {
      let pause = retries.pause(after: .fault)
      #expect(pause.map { (1...(GlobusLimits.retryMilliseconds * UInt64(n))).contains($0) } == true)
    }
    #expect(retries.pause(after: .fault) == nil)
  }

  @Test func pausesDiffer() {
    let pauses = (0..<50).map { _ in
      var retries = Retries(limit: 1)
      return retries.pause(after: .fault)
    }
    #expect(Set(pauses).count > 1)
  }

  @Test func aTimeoutIsTriedAgainOnce() {
    var retries = Retries(limit: 3)
    #expect(retries.pause(after: .timeout) != nil)
    #expect(retries.pause(after: .timeout) == nil)
  }

  @Test func waitsThatAreAskedForAreKeptOnceAndWithinABound() {
    var retries = Retries(limit: 3)
    let bound = GlobusLimits.awaitedSeconds
    #expect(retries.pause(after: .busy(seconds: bound)).map { $0 > bound * 1000 } == true)
    #expect(retries.pause(after: .busy(seconds: 0)) == nil)
    var other = Retries(limit: 3)
    #expect(other.pause(after: .busy(seconds: bound + 1)) == nil)
  }

  /// A collection's name with two nodes, one of which may be sick.
  @Loop private final class Nodes {
    let folder: TemporaryFolder
    let nodes: [GlobusUpstream]
    let client: DataServerClient
    let grant: CollectionGrant
    let trace = UpstreamTrace()

    /// `answer` is asked with the node, 0 or 1, and the number of its request, from 1 on.
    init(
      names: String = "127-0-0-1.127-0-0-2.all.test",
      allowed: [String] = ["127.0.0.1", "127.0.0.2"], patience: UInt32 = 60_000,
      _ answer: @escaping @Loop @Sendable (_ node: Int, Int) async -> GlobusUpstream.Answer
    ) throws {
      folder = try TemporaryFolder()
      let tls = try folder.identity(names)
      nodes = try Self.pair(tls.identity, answer)
      var configuration = Configuration(
        baseURL: BaseURL("http://localhost:8000")!, clientID: "app", clientSecret: "s")
      configuration.upstreamCA = tls.caFile
      configuration.allowPrivateUpstream = allowed
      configuration.upstreamSilenceMilliseconds = patience
      client = try DataServerClient(configuration)
      grant = CollectionGrant(
        collection: CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!,
        httpsHost: "\(names):\(nodes[0].port)",
        https: Token(secret: Secret("AgH"), expiresAt: 1))
    }

    /// On the same port of 127.0.0.1 and 127.0.0.2.
    private static func pair(
      _ tls: TLSIdentity,
      _ answer: @escaping @Loop @Sendable (Int, Int) async -> GlobusUpstream.Answer
    ) throws -> [GlobusUpstream] {
      for _ in 0..<50 {
        let one = try GlobusUpstream(tls: tls) { await answer(0, $1) }
        let two = try? GlobusUpstream(tls: tls, at: "127.0.0.2", port: one.port) {
          await answer(1, $1)
        }
        if let two { return [one, two] }
        one.close()
      }
      throw TransferError(.invalid, "no port is free on both addresses")
    }

    var asked: [Int] { nodes.map(\.requests.count) }

    func read() async -> Result<String, GlobusError> {
      do throws(GlobusError) {
        let transfer = try await client.read(
          "/x", range: nil, over: .any, by: DataServerAccess(grant), trace: trace)
        let body = try? await transfer.collect(limit: 100)
        return .success(String(decoding: body ?? [], as: UTF8.self))
      } catch {
        return .failure(error)
      }
    }
  }

  @Test(arguments: [0, 1]) func aSickNodeIsLeftForTheOther(sick: Int) async throws {
    try await onLoop {
      let nodes = try Nodes { node, _ in node == sick ? .init(404, fault) : .init(200, "hello") }
      for _ in 0..<10 { #expect(await nodes.read() == .success("hello")) }
      // Its connection is closed, the good one is used again and again.
      #expect(nodes.asked[sick] <= 1)
      #expect(nodes.trace.calls == nodes.asked[0] + nodes.asked[1])
    }
  }

  @Test func nodesThatAreAllSickAreEachAskedAndGivenUp() async throws {
    try await onLoop {
      let nodes = try Nodes { _, _ in .init(404, fault) }
      #expect(
        await nodes.read()
          == .failure(.unavailable("the collection's server answered 404")))
      #expect(nodes.asked.reduce(0, +) == 1 + GlobusLimits.readRetries)
      #expect(!nodes.asked.contains(0))
    }
  }

  @Test(arguments: [0, 1]) func aSilentNodeIsLeftForTheOther(silent: Int) async throws {
    try await onLoop {
      let order = Asked()
      let nodes = try Nodes(patience: 2000) { node, _ in
        order.nodes.append(node)
        if node == silent { await Loop.sleep(milliseconds: 60_000) }
        return .init(200, "hello")
      }
      var successes = 0
      for _ in 0..<4 {
        order.nodes = []
        if await nodes.read() == .success("hello") { successes += 1 }
        #expect(order.nodes.count { $0 == silent } <= 1)
      }
      #expect(successes > 0)
    }
  }

  @Loop private final class Asked {
    var nodes: [Int] = []
  }

  @Test func silenceIsListenedToTwice() async throws {
    try await onLoop {
      let nodes = try Nodes(patience: 500) { _, _ in
        await Loop.sleep(milliseconds: 60_000)
        return .init(200, "hello")
      }
      guard case .failure(.unavailable(let why)) = await nodes.read() else {
        Issue.record("no answer was taken for one")
        return
      }
      #expect(why.contains("timeout"))
      #expect(nodes.trace.calls == 2)
    }
  }

  @Test(arguments: [
    (429, "0", 2), (503, "0", 2), (429, "3", 1), (503, "3600", 1), (429, nil, 1),
  ])
  func aServerThatAsksToSlowDown(status: Int, wait: String?, requests: Int) async throws {
    try await onLoop {
      let headers: Headers = wait.map { ["Retry-After": $0] } ?? [:]
      let nodes = try Nodes { _, _ in .init(status, "", headers: headers) }
      #expect(await nodes.read() == .failure(.slowDown(retryAfter: wait.flatMap { Int($0) })))
      #expect(nodes.asked.reduce(0, +) == requests)
    }
  }

  @Test func aWaitThatIsKeptIsRewarded() async throws {
    try await onLoop {
      let nodes = try Nodes(names: "127-0-0-1.all.test") { _, number in
        number == 1 ? .init(503, "", headers: ["Retry-After": "1"]) : .init(200, "hello")
      }
      #expect(await nodes.read() == .success("hello"))
      #expect(nodes.asked == [2, 0])
    }
  }

  /// The owner of a collection lets its name lead elsewhere once it was looked at.
  @Test func aNameThatTurnsToAPrivateAddressIsRefused() async throws {
    try await onLoop {
      let nodes = try Nodes(
        names: "127-0-0-2.127-0-0-1.private.turns.test", allowed: ["127.0.0.2"]
      ) { _, _ in .init(404, fault) }
      #expect(await nodes.read() == .failure(.addressRefused("127.0.0.1")))
      #expect(nodes.asked == [0, 1])
    }
  }

  @Test func aFloodOfHeadersIsNotRead() async throws {
    try await onLoop {
      var flood = Headers()
      for n in 0..<2000 { flood.add("X-\(n)", String(repeating: "x", count: 50)) }
      let nodes = try Nodes { node, _ in .init(200, "hello", headers: node == 0 ? flood : [:]) }
      for _ in 0..<4 { #expect(await nodes.read() == .success("hello")) }
      let both = try Nodes { _, _ in .init(200, "hello", headers: flood) }
      guard case .failure(.unavailable(let why)) = await both.read() else {
        Issue.record("a head over the limit was taken")
        return
      }
      #expect(why.contains("head over the limit"))
    }
  }

  // Transfer

  private static func document(_ code: String) -> String { #"{"code": "\#(code)", "message": ""}"# }

  @Test(arguments: [
    (502, document("ExternalError.DirListingFailed.PermissionDenied"), nil, 1),
    (502, document("ExternalError.StatFailed"), nil, 1), (502, document("EndpointError"), nil, 1),
    (404, document("NotFound"), nil, 1), (401, document("AuthenticationFailed"), nil, 1),
    (403, document("PermissionDenied"), nil, 1), (400, document("InvalidPath"), nil, 1),
    (302, "", nil, 1), (502, "<html>Bad Gateway", nil, 3), (504, "", nil, 3),
    (500, document("InternalError"), nil, 3), (503, "", nil, 3),
    (503, document("ServiceUnavailable"), "0", 2), (429, "", "0", 2), (429, "", "60", 1),
    (429, "", nil, 1),
  ])
  func callsToTransfer(status: Int, body: String, wait: String?, requests: Int) async throws {
    try await onLoop {
      let headers: Headers = wait.map { ["Retry-After": $0] } ?? [:]
      let failing = try GlobusUpstream { _, _ in .init(status, body, headers: headers) }
      #expect(await Self.ask(failing) == nil)
      #expect(failing.requests.count == requests)
      guard requests > 1 else { return }
      let mending = try GlobusUpstream { _, number in
        number < requests ? .init(status, body, headers: headers) : .init(200, stat)
      }
      #expect(await Self.ask(mending)?.size == 5)
    }
  }

  @Loop private static func ask(_ upstream: GlobusUpstream) async -> FileStatus? {
    var configuration = Configuration(
      baseURL: BaseURL("http://localhost:8000")!, clientID: "app", clientSecret: "s")
    configuration.transferURL = upstream.url
    let id = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
    return try? await TransferClient(configuration).stat(
      "/x", in: id, token: TransferToken(secret: Secret("AgT")), trace: UpstreamTrace())
  }
}
