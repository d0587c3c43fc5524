// The three services without a network: shapes of answers, and the data server's switches.

import Reactor
import Testing

@testable import LocalGlobus

@Suite struct ServiceTests {
  static let id = "1b6d2c9e-0000-4000-8000-00000000aaaa"

  init() { Loop.runInBackground() }

  @Loop func deployment(_ temporary: TemporaryFolder, copies: Int = 1) throws -> Deployment {
    let configuration = LocalGlobusConfiguration(collections: [], workDirectory: "/")
    let deployment = Deployment(configuration)
    let collection = LocalGlobusConfiguration.Collection(
      id: Self.id, directory: temporary.path, displayName: "Test data")
    let hosted = HostedCollection(
      configuration: collection, folder: try LocalFolder(temporary.path),
      httpsServer: "https://localhost:1")
    deployment.hosted = Array(repeating: hosted, count: copies)
    return deployment
  }

  @Loop func token(_ deployment: Deployment, _ scopes: String) throws -> [(String, String)] {
    let (server, scopes) = try #require(
      deployment.byResourceServer(try Scope.parse(scopes)).first)
    let issued = try deployment.tokens.issue(
      resourceServer: server, scopes: scopes, identity: .researcher, offline: false,
      now: deployment.now)
    return [("Authorization", "Bearer \(issued.accessToken)")]
  }

  @Loop @Test func transferRefusesWhatItDoesNotDo() throws {
    let temporary = TemporaryFolder()
    let deployment = try deployment(temporary)
    let scope = "\(Scope.transfer)[*\(Scope.dataAccess(Self.id))]"
    let headers = try token(deployment, scope)
    let service = TransferService(deployment: deployment)
    let operation = "/v0.10/operation/endpoint/\(Self.id)"
    let cases = [
      ("POST", "\(operation)/mkdir", 405), ("DELETE", "/v0.10/endpoint/\(Self.id)", 405),
      ("GET", "/v0.10/nothing", 404), ("GET", "/endpoint/\(Self.id)", 404),
      ("GET", "\(operation)/stat", 400), ("GET", "\(operation)/ls?limit=x", 400),
      ("GET", "\(operation)/ls?orderby=colour", 400),
      ("GET", "\(operation)/ls?orderby=name%20UP", 400),
      ("GET", "\(operation)/ls?filter=colour:red", 400), ("GET", "\(operation)/ls?filter=x", 400),
      ("GET", "\(operation)/ls", 200), ("HEAD", "\(operation)/ls?limit=0", 200),
    ]
    for (method, target, status) in cases {
      let reply = service.answer(Request(method, target, headers: headers))
      #expect(reply.status == status, "\(method) \(target)")
    }
  }

  @Loop @Test func aSearchHasAtMostAPage() throws {
    let temporary = TemporaryFolder()
    let deployment = try deployment(temporary, copies: Limits.searchPage + 1)
    let request = Request(
      "GET", "/v0.10/endpoint_search?filter_fulltext=test&limit=1000",
      headers: try token(deployment, Scope.transfer))
    let text = String(
      decoding: TransferService(deployment: deployment).answer(request).body, as: UTF8.self)
    #expect(text.contains("\"limit\":\(Limits.searchPage),"))
    #expect(text.contains("\"has_next_page\":true"))
  }

  @Loop @Test func transferErrorsNameTheResourceWithoutVersion() throws {
    let error = TransferError.badRequest("no").document(resource: "/endpoint/x")
    #expect(error["resource"] == "/endpoint/x" && error["code"] == "ClientError.BadRequest")
    #expect(error["required_scopes"] == nil && error["request_id"] != nil)
  }

  @Loop func data(
    _ range: String, _ behaviour: DataServerBehaviour, scopes: [String]
  ) throws -> (status: Int, contentRange: String?) {
    let temporary = TemporaryFolder()
    try temporary.file("f", "0123456789")
    let deployment = try deployment(temporary)
    let headers = try token(deployment, scopes.joined(separator: " ")) + [("Range", range)]
    let service = DataService(
      deployment: deployment, collectionID: Self.id, behaviour: behaviour)
    switch service.answer(Request("GET", "/f", headers: headers)) {
    case .reply(let reply): return (reply.status, reply.headers["Content-Range"])
    case .file(_, _, let status, let headers): return (status, headers["Content-Range"])
    }
  }

  @Loop @Test func theQuirksAreSwitches() throws {
    let https = Scope.https(Self.id)
    let both = [https, Scope.dataAccess(Self.id)]
    var behaviour = DataServerBehaviour()
    #expect(try data("bytes=-3", behaviour, scopes: both).status == 416)
    #expect(try data("bytes=0-3", behaviour, scopes: both) == (206, "bytes 0-3/*"))
    #expect(try data("bytes=0-3", behaviour, scopes: [https]).status == 403)
    behaviour.refusesSuffixRanges = false
    #expect(try data("bytes=-3", behaviour, scopes: both) == (206, "bytes 7-9/*"))
    behaviour.hidesTotal = false
    #expect(try data("bytes=0-3", behaviour, scopes: both) == (206, "bytes 0-3/10"))
    #expect(try data("bytes=10-", behaviour, scopes: both) == (416, "bytes */10"))
    behaviour.requiresDataAccess = false
    #expect(try data("bytes=0-3", behaviour, scopes: [https]).status == 206)
  }

  @Test(
    arguments: [
      (nil, 0..<10), ("bytes=0-", 0..<10), ("bytes=9-9", 9..<10), ("bytes=3-99", 3..<10),
      ("bytes=10-", nil), ("bytes=-3", 7..<10), ("bytes=-99", 0..<10), ("bytes=-0", nil),
      ("BYTES=1-2", 1..<3), ("bytes=5-2", 0..<10), ("bytes=1-2,4-5", 0..<10),
      ("bytes=+1-2", 0..<10),
      ("bytes=0-18446744073709551615", 0..<10), ("bytes=0-99999999999999999999", 0..<10),
      ("bytes=-", 0..<10), ("bytes", 0..<10),
    ] as [(String?, Range<UInt64>?)])
  func ranges(_ header: String?, _ bytes: Range<UInt64>?) {
    #expect(ByteRange(header).bytes(ofSize: 10) == bytes)
  }

  @Loop @Test func whatCannotBeServed() throws {
    let temporary = TemporaryFolder()
    for ids in [["x"], [Self.id.uppercased()], [Self.id, Self.id]] {
      let collections = ids.map {
        LocalGlobusConfiguration.Collection(
          id: $0, directory: temporary.path, displayName: "Test data")
      }
      #expect(throws: LocalGlobusError.self) {
        try LocalGlobus(.init(collections: collections, workDirectory: temporary.path))
      }
    }
  }
}
