// Sign-ins with requirements and root folders, over real sockets against LocalGlobus.

import FoundationEssentials
import Reactor
import Testing

@testable import Frontend

private let mapped = SignInBed.mapped
private let assured = SignInBed.assured
private let identity = "5ca1ab1e-0000-4000-8000-000000000001"

@Suite struct SignInRequirementsTests {
  init() { Loop.runInBackground() }

  private func query(of page: SignInBrowser.Page) throws -> Query {
    try Query(page.location.split(separator: "?", maxSplits: 1)[1])
  }

  @Test func authIsAskedForExactlyWhatTheLinkSays() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let scope = "\(GlobusScopes.transfer)[*\(GlobusScopes.dataAccess(mapped))]"
      let link =
        "&session_required_identities=\(identity)&session_required_single_domain=uni.example"
        + "&session_required_policies=\(identity)&session_required_mfa=true&prompt=login"
        + "&session_message=Again%2C%20please&required_scopes=\(PercentEncoding.component(scope))"
      let page = try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth\(link)&other=1")
      let asked = try query(of: page)
      #expect(asked["scope"] == GlobusScopes.access([(mapped, true)]))
      let known = [
        "response_type", "client_id", "redirect_uri", "scope", "state", "access_type",
        "code_challenge", "code_challenge_method",
      ]
      let more = asked.parameters.filter { !known.contains($0.name) }
      #expect(
        more.map { "\($0.name)=\($0.value)" } == [
          "session_required_identities=\(identity)", "session_required_single_domain=uni.example",
          "session_required_policies=\(identity)", "session_required_mfa=true", "prompt=login",
          "session_message=Again, please",
        ])
      let plain = try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth")
      #expect(try query(of: plain).parameters.allSatisfy { known.contains($0.name) })
    }
  }

  @Test func aScopeThatGlobusNamesIsAskedForThoughTheDocumentKnowsNone() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let scope = PercentEncoding.component(GlobusScopes.dataAccess(assured))
      let page = try await bed.browser.get(
        "\(bed.baseURL)/\(assured)/?auth&required_scopes=\(scope)")
      #expect(try query(of: page)["scope"] == GlobusScopes.access([(assured, true)]))
    }
  }

  @Test(arguments: [
    "&prompt=%3Cscript%3Ealert(1)%3C/script%3E", "&session_message=%3Cscript%3Ealert(1)%0A",
    "&session_required_identities=%3Cscript%3Ealert(1)", "&root=/%3Cscript%3Ealert(1)//x",
  ])
  func hostileLinksGetAPageThatRepeatsNothing(query: String) async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let page = try await bed.browser.get(
        "\(bed.baseURL)/\(mapped)/?auth\(query)", accept: "text/html")
      #expect(page.status == 400 && page.body.contains("<h1>"))
      #expect(!page.body.contains("script>alert") && page.cookies.isEmpty)
      #expect(bed.traces[0].calls == 0)
    }
  }

  /// Every quote takes two bytes in the cookie.
  @Test func aLinkThatDoesNotFitTheCookieIsAPage() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let uuids = Array(repeating: identity, count: GlobusLimits.requirementValues)
        .joined(separator: ",")
      let root = String(repeating: "%22", count: CredentialLimits.rootFolderBytes - 1)
      let link = "\(bed.baseURL)/\(mapped)/?auth&root=\(root)"
      #expect(try await bed.browser.get(link).status == 303)
      let page = try await bed.browser.get(
        "\(link)&session_required_identities=\(uuids)&session_required_policies=\(uuids)"
          + "&session_message=\(String(repeating: "%22", count: 128))")
      #expect(page.status == 400 && page.cookies.isEmpty)
      #expect(bed.replies.last?.errorCode == "InvalidSignInLink")
    }
  }

  @Test func anotherHostIsSentOnWithAllOfIt() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let target = "/\(mapped)/?auth&strict&root=/data&private&session_required_mfa=true"
      let page = try await bed.browser.get(
        bed.baseURL.description + target + "&x=y", host: "other.example")
      #expect(page.status == 303 && page.location == bed.baseURL.description + target)
    }
  }

  @Test func twoTripsKeepTheRootAndTheRequirements() async throws {
    try await onLoop {
      let hidden = #"{"code": "PermissionDenied", "message": "", "request_id": "x"}"#
      let transfer = try GlobusUpstream { head, number in
        if head.target.contains("/stat") {
          return .init(200, #"{"type": "dir", "last_modified": "1970-01-01 00:01:00+00:00"}"#)
        }
        guard number > 1 else { return .init(403, hidden) }
        return .init(
          200,
          #"{"entity_type": "GCSv5_guest_collection", "https_server": "https://localhost:8443"}"#)
      }
      let bed = try SignInBed(transferURL: transfer.url)
      defer { bed.close() }
      let first = try await bed.browser.get(
        "\(bed.baseURL)/\(mapped)/?auth&root=/a%20b&session_required_single_domain=uni.example")
      #expect(try query(of: first)["session_required_single_domain"] == nil)
      let second = try await bed.browser.get(
        try await bed.browser.consent("approve", at: first.location))
      #expect(try query(of: second)["session_required_single_domain"] == "uni.example")
      let back = try await bed.browser.consent("deny", at: second.location)
      let refused = try await bed.browser.get(back, accept: "text/html")
      #expect(
        refused.body.contains(
          "\(mapped)/?auth&amp;root=/a%20b&amp;session_required_single_domain=uni.example"))
      let page = try await bed.signIn("/\(mapped)/?auth&root=/a%20b&private")
      let credential = try bed.sealer.open(page.body)
      #expect(credential.collections[0].rootFolder == RootFolder("/a b"))
      #expect(transfer.requests.last?.target.hasSuffix("/stat?path=/a%20b") == true)
    }
  }

  @Test(arguments: [
    (404, #"{"code": "NotFound", "message": ""}"#, 404, "NoSuchFolder"),
    (
      200, #"{"type": "file", "size": 1, "last_modified": "1970-01-01 00:01:00+00:00"}"#, 404,
      "NoSuchFolder"
    ),
    (403, #"{"code": "EndpointPermissionDenied", "message": ""}"#, 404, "NoSuchFolder"),
    (502, #"{"code": "x.LoginFailed", "message": "invalid_user#1"}"#, 403, "NoAccount"),
    (
      403, #"{"code": "AuthPolicyFailed", "authorization_parameters": {"prompt": "login"}}"#, 403,
      "SignInRequired"
    ),
    (500, "", 200, ""),
  ])
  func theRootIsLookedAt(
    status: Int, body: String, expected: Int, code: String
  ) async throws {
    try await onLoop {
      let transfer = try GlobusUpstream { head, _ in
        guard head.target.contains("/stat") else {
          return .init(
            200, #"{"entity_type": "GCSv5_guest_collection", "https_server": "https://a.example"}"#)
        }
        return .init(status, body)
      }
      let bed = try SignInBed(transferURL: transfer.url)
      defer { bed.close() }
      let page = try await bed.signIn("/\(mapped)/?auth&root=/gone", accept: "text/html")
      #expect(page.status == expected && (bed.replies.last?.errorCode ?? "") == code)
      if code == "SignInRequired" {
        #expect(page.body.contains("\(mapped)/?auth&amp;root=/gone&amp;prompt=login"))
        let json = try await bed.signIn("/\(mapped)/?auth&root=/gone", accept: "application/json")
        #expect(json.body.contains("\(bed.baseURL)/\(mapped)/?auth&root=/gone&prompt=login"))
      }
    }
  }

  @Test func aBucketOfARootShowsNothingElse() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      try FileManager.default.createDirectory(
        atPath: bed.folder.path + "/open", withIntermediateDirectories: false)
      _ = bed.folder.write("inside", to: "open/a.txt")
      let page = try await bed.signIn("/\(mapped)/?auth&root=/open/")
      let credential = try bed.sealer.open(page.body)
      let collection = bed.collections.open(mapped, credential: credential, fingerprint: "F")
      let trace = UpstreamTrace()
      #expect(try await collection.stat("/open/a.txt", trace: trace).size == 6)
      let calls = trace.calls
      for path in ["/example.txt", "/", "/open/../example.txt", "/open/", "/opener", "open/a.txt"] {
        await #expect(throws: GlobusError.denied) { try await collection.stat(path, trace: trace) }
        await #expect(throws: GlobusError.denied) { try await collection.list(path, trace: trace) }
        await #expect(throws: GlobusError.denied) {
          try await collection.freshStat(path, trace: trace)
        }
        await #expect(throws: GlobusError.denied) {
          _ = try await collection.read(path, range: nil, trace: trace)
        }
      }
      #expect(trace.calls == calls)
    }
  }
}
