// What a sign-in asks Globus for: scopes, the authorize URL, PKCE and the app's own credentials.

import FoundationEssentials
import Reactor
import Testing

@testable import Frontend

private let a = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let b = CollectionID("1B6D2C9E-0000-4000-8000-00000000BBBB")!
private let all = "urn:globus:auth:scope:transfer.api.globus.org:all"
private let at = "https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000"

@Suite struct GlobusScopesTests {
  @Test(arguments: [
    (
      [(a, true)],
      "openid profile email \(all)[*\(at)aaaa/data_access] \(at)aaaa/https \(at)aaaa/data_access"
    ),
    ([(a, false)], "openid profile email \(all) \(at)aaaa/https"),
    (
      [(a, true), (b, true)],
      "openid profile email \(all)[*\(at)aaaa/data_access *\(at)bbbb/data_access] "
        + "\(at)aaaa/https \(at)aaaa/data_access \(at)bbbb/https \(at)bbbb/data_access"
    ),
    (
      [(a, false), (b, true)],
      "openid profile email \(all)[*\(at)bbbb/data_access] "
        + "\(at)aaaa/https \(at)bbbb/https \(at)bbbb/data_access"
    ),
  ])
  func scopesFollowTheKinds(targets: [(CollectionID, Bool)], expected: String) {
    #expect(GlobusScopes.access(targets.map { (id: $0.0, needsDataAccess: $0.1) }) == expected)
  }

  @Test func lookingUpAsksForNothingOfACollection() {
    #expect(GlobusScopes.lookup == "openid profile email \(all)")
  }

  @Test(arguments: [
    ("GCSv5_mapped_collection", "false", true), ("GCSv5_mapped_collection", "true", false),
    ("GCSv5_mapped_collection", "null", true), ("GCSv5_guest_collection", "false", false),
    ("GCSv5_guest_collection", "true", false), ("GCP_mapped_collection", "false", false),
    ("GCSv5_endpoint", "false", false),
  ])
  func dataAccessExistsForMappedCollectionsThatAreNotHighAssurance(
    type: String, highAssurance: String, expected: Bool
  ) throws {
    let text = #"{"entity_type": "\#(type)", "high_assurance": \#(highAssurance), "new": [1]}"#
    let document = try GlobusJSON.decode(CollectionDocument.self, from: Array(text.utf8), "it")
    #expect(document.needsDataAccess == expected)
  }

  @Test func documentsOfAnotherShapeAreUnavailable() {
    for text in ["", "[]", #"{"entity_type": 5}"#, #"{"https_server": ["x"]}"#, "<html>"] {
      #expect(throws: GlobusError.unavailable("it is not what it is documented to be")) {
        try GlobusJSON.decode(CollectionDocument.self, from: Array(text.utf8), "it")
      }
    }
  }

  @Test func theAuthorizeURLHasWhatGlobusWants() async throws {
    let url = try await authorizeURL()
    #expect(
      url == "https://auth.globus.org/v2/oauth2/authorize?response_type=code&client_id=app"
        + "&redirect_uri=https%3A%2F%2Fs3.example.org%2F%3Fauth-callback"
        + "&scope=openid%20x%5B%2Ahttps%3A%2F%2Fy%5D&state=st&access_type=online"
        + "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        + "&code_challenge_method=S256")
  }

  /// The verifier is the example of RFC 7636, appendix B.
  @Loop private func authorizeURL() throws -> String {
    var configuration = Configuration(
      baseURL: BaseURL("https://s3.example.org")!, clientID: "app", clientSecret: "s")
    configuration.upstreamCA = nil
    let auth = try AuthClient(configuration)
    return auth.authorizeURL(
      scope: "openid x[*https://y]", state: "st",
      verifier: CodeVerifier(secret: Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")))
  }

  init() { Loop.runInBackground() }

  @Test func verifiersAreRandomAndLongEnough() {
    let verifiers = (0..<8).map { _ in CodeVerifier.random().secret.value }
    #expect(Set(verifiers).count == 8)
    #expect(verifiers.allSatisfy { (43...128).contains($0.utf8.count) })
  }

  @Test func theAppsCredentialsAreBasic() {
    // RFC 7617 section 2.
    #expect(
      AuthClient.basic("Aladdin", "open sesame").value == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    #expect("\(AuthClient.basic("a", "b"))" == "<secret>")
  }

  @Test(arguments: [
    ("http://localhost:9000", true, false), ("http://127.0.0.1:9000", true, false),
    ("http://127.0.0.1.example.org", false, true), ("http://auth.example.org", false, true),
    ("https://auth.globus.org", false, true), ("http://128.0.0.1", false, true),
  ])
  func onlyLoopbackServicesMayLackTLS(url: String, plain: Bool, proxy: Bool) {
    var configuration = Configuration(
      baseURL: BaseURL("https://s3.example.org")!, clientID: "app", clientSecret: "s")
    configuration.allowPrivateUpstream = ["10.0.0.0/8"]
    configuration.upstreamCA = "/ca.pem"
    let service = HTTPClient.Configuration.service(at: url, configuration, maxActive: 3)
    #expect(service.allowPlainHTTP == plain)
    #expect(service.useEnvironmentProxy == proxy)
    #expect(service.allowAnyAddress)
    let data = HTTPClient.Configuration.collections(configuration)
    #expect(!data.allowAnyAddress && !data.allowPlainHTTP && !data.useEnvironmentProxy)
    #expect(data.allowedNetworks == ["10.0.0.0/8"] && data.caFile == "/ca.pem")
  }

  @Test func pathsAreEncodedByteByByte() {
    #expect(PercentEncoding.path("/a b/ü+%#?&=~._-'") == "/a%20b/%C3%BC%2B%25%23%3F%26%3D~._-%27")
    #expect(PercentEncoding.query([("a/b", "c d"), ("e", "")]) == "a%2Fb=c%20d&e=")
  }
}
