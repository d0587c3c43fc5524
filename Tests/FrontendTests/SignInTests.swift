// The sign-in over real sockets against LocalGlobus: what is asked of Globus, what a browser gets,
// and that what it gets opens the collection.

import FoundationEssentials
import Reactor
import Testing

@testable import Frontend

private let mapped = SignInBed.mapped
private let guest = SignInBed.guest

@Suite struct SignInTests {
  init() { Loop.runInBackground() }

  struct Success: Decodable {
    let accessKeyID, secretAccessKey, endpointURL, expiresAt: String
    let collections: [String]

    enum CodingKeys: String, CodingKey {
      case collections
      case accessKeyID = "access_key_id"
      case secretAccessKey = "secret_access_key"
      case endpointURL = "endpoint_url"
      case expiresAt = "expires_at"
    }
  }

  struct Failure: Decodable {
    let error, message: String
  }

  private func json<T: Decodable>(_ type: T.Type, _ page: SignInBrowser.Page) throws -> T {
    try JSONDecoder().decode(type, from: Data(page.body.utf8))
  }

  @Test(arguments: [mapped, guest, SignInBed.assured])
  func aSignInOpensTheCollection(id: CollectionID) async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let page = try await bed.signIn("/\(id)/?auth", accept: "application/json")
      #expect(page.status == 200)
      let result = try json(Success.self, page)
      #expect(result.collections == [id.description])
      #expect(result.endpointURL == bed.baseURL.description)
      let credential = try bed.sealer.open(result.accessKeyID)
      #expect(
        try bed.sealer.secretAccessKey(for: result.accessKeyID).value == result.secretAccessKey)
      #expect(credential.username == "researcher@example.org" && !credential.isStrict)
      #expect(credential.expiresAt - credential.issuedAt <= 172_800)
      #expect(
        try Date(result.expiresAt, strategy: .iso8601).timeIntervalSince1970
          == Double(credential.expiresAt))

      let fingerprint = CredentialSealer.fingerprint(of: result.accessKeyID)
      let collection = bed.collections.open(id, credential: credential, fingerprint: fingerprint)
      let trace = UpstreamTrace()
      #expect(try await collection.stat("/example.txt", trace: trace).size == 5)
      let transfer = try await collection.read("/example.txt", range: 1...3, trace: trace)
      #expect(try await transfer.collect(limit: 10) == Array("ell".utf8))

      let reply = try #require(bed.replies.last)
      #expect(reply.identityID == "5ca1ab1e-0000-4000-8000-000000000001")
      #expect(reply.username == "researcher@example.org")
      #expect(reply.credentialFingerprint == fingerprint)
      #expect(reply.collections == [id] && reply.errorCode == nil)
      #expect(bed.browser.cookies.isEmpty)
    }
  }

  @Test func oneCredentialOpensSeveralCollections() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let page = try await bed.signIn("/?auth&collection=\(mapped)&collection=\(guest)")
      let credential = try bed.sealer.open(page.body)
      #expect(credential.collections.map(\.collection) == [mapped, guest])
      for id in [mapped, guest] {
        let collection = bed.collections.open(id, credential: credential, fingerprint: "F")
        let transfer = try await collection.read("/example.txt", range: nil, trace: UpstreamTrace())
        #expect(try await transfer.collect(limit: 10) == Array("hello".utf8))
      }
    }
  }

  @Test func theFormFollowsAccept() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let text = try await bed.signIn("/\(guest)/?auth", accept: "*/*")
      #expect(text.body.hasPrefix("GS3A") && text.body.utf8.allSatisfy { $0 > 0x20 })
      let page = try await bed.signIn("/\(guest)/?auth", accept: "text/html,*/*;q=0.8")
      #expect(page.body.contains("Lab &lt;data&gt;") && page.body.contains("GS3A"))
      #expect(page.head.headers["Cache-Control"] == "no-store")
      let missing = try await bed.browser.get(
        "\(bed.baseURL)/1b6d2c9e-0000-4000-8000-00000000dddd/?auth-callback", accept: "text/html")
      #expect(missing.body.contains("<h1>") && missing.status == 400)
    }
  }

  @Test func theBrowserIsSentWithExactlyWhatIsNeeded() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let page = try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth")
      #expect(page.status == 303)
      #expect(page.location.hasPrefix("\(bed.local.authURL)/v2/oauth2/authorize?"))
      let query = try Query(page.location.split(separator: "?")[1])
      #expect(query["scope"] == GlobusScopes.access([(mapped, true)]))
      #expect(query["redirect_uri"] == "\(bed.baseURL)/?auth-callback")
      #expect(query["code_challenge_method"] == "S256")
      let state = try #require(query["state"])
      #expect(page.cookies.count == 1)
      #expect(page.cookies[0].hasPrefix("gs3-\(state.prefix(6))="))
      #expect(page.cookies[0].hasSuffix("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"))
      // The app's own token and the document; the token is kept for the next one.
      #expect(bed.traces[0].calls == 2)
      _ = try await bed.browser.get("\(bed.baseURL)/\(guest)/?auth")
      #expect(bed.traces[1].calls == 1)
    }
  }

  @Test func onlyTheBaseURLSendsToGlobus() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      for (path, target) in [
        ("/\(mapped)/?auth", "/\(mapped)/?auth"),
        ("/\(mapped)/?auth&strict", "/\(mapped)/?auth&strict"),
        (
          "/?auth&collection=\(mapped)&collection=\(guest)",
          "/?auth&collection=\(mapped)&collection=\(guest)"
        ),
      ] {
        let page = try await bed.browser.get(bed.baseURL.description + path, host: "other.example")
        #expect(page.status == 303 && page.location == "\(bed.baseURL)\(target)")
        #expect(page.cookies.isEmpty)
      }
      #expect(bed.traces.allSatisfy { $0.calls == 0 })
    }
  }

  @Test(arguments: [(SignaturePolicy.any, "&strict", true), (.verify, "", true), (.any, "", false)])
  func strictness(policy: SignaturePolicy, query: String, expected: Bool) async throws {
    try await onLoop {
      let bed = try SignInBed(signatures: policy)
      defer { bed.close() }
      let page = try await bed.signIn("/\(guest)/?auth\(query)")
      #expect(try bed.sealer.open(page.body).isStrict == expected)
    }
  }

  @Test func refusedConsentIs403() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let start = try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth&strict")
      let back = try await bed.browser.consent("deny", at: start.location)
      #expect(back.contains("error_description="))
      let page = try await bed.browser.get(back, accept: "text/html")
      #expect(page.status == 403)
      #expect(page.body.contains("href=\"\(bed.baseURL)/\(mapped)/?auth&amp;strict\""))
      #expect(!page.body.contains("The user refused consent"))
      #expect(bed.browser.cookies.isEmpty)
      #expect(bed.replies.last?.errorCode == "AccessDenied")
    }
  }

  @Test func aCallbackCountsOnceAndInItsOwnBrowser() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      let start = try await bed.browser.get("\(bed.baseURL)/\(guest)/?auth")
      let back = try await bed.browser.consent("approve", at: start.location)
      let cookies = bed.browser.cookies
      let foreign = try await SignInBrowser().get(back, accept: "application/json")
      #expect(foreign.status == 400)
      #expect(try json(Failure.self, foreign).error == "ExpiredSignIn")
      for changed in [
        back + "&state=x", back.replacing("code=", with: "kode="), back + "&error=access_denied",
        back.replacing("state=", with: "state=x"),
      ] {
        let page = try await bed.browser.get(changed)
        #expect(page.status == 400, "\(page.body)")
      }
      #expect(bed.traces.dropFirst().allSatisfy { $0.calls == 0 })
      #expect(try await bed.browser.get(back).status == 200)
      #expect(try await bed.browser.get(back).status == 400)
      // Even with the cookie kept back, the code is used up.
      bed.browser.cookies = cookies
      let again = try await bed.browser.get(back, accept: "application/json")
      #expect(again.status == 400)
      #expect(try json(Failure.self, again).error == "InvalidGrant")
    }
  }

  @Test func whatIsNoCollectionIs404() async throws {
    try await onLoop {
      let bed = try SignInBed()
      defer { bed.close() }
      for path in [
        "/no-uuid/?auth", "/?auth", "/?auth&collection=no-uuid",
        "/?auth&collection=\(mapped)&collection=no-uuid",
      ] {
        let page = try await bed.browser.get(bed.baseURL.description + path)
        #expect(page.status == 404, "\(path)")
      }
      let many = (0...CredentialLimits.collections).map {
        "&collection=1b6d2c9e-0000-4000-8000-0000000000\($0 + 10)"
      }
      #expect(try await bed.browser.get("\(bed.baseURL)/?auth\(many.joined())").status == 400)
      #expect(bed.traces.allSatisfy { $0.calls == 0 })
      // One that nobody sees: said at once, or after the person's own sign-in when asked for.
      let unknown = "/1b6d2c9e-0000-4000-8000-00000000dddd/?auth"
      #expect(try await bed.browser.get(bed.baseURL.description + unknown).status == 404)
      let page = try await bed.signIn(unknown + "&private")
      #expect(page.status == 404 && bed.replies.last?.errorCode == "NoSuchCollection")
      let post = try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth", method: "POST")
      #expect(post.status == 405)
    }
  }

  @Test(arguments: [
    (403, "PermissionDenied", "?auth&strict"), (404, "EndpointNotFound", "?auth&strict&private"),
  ])
  func aCollectionOnlyItsMembersSeeTakesTwoTrips(
    status: Int, code: String, query: String
  ) async throws {
    try await onLoop {
      let hidden = #"{"code": "\#(code)", "message": "", "request_id": "x"}"#
      let transfer = try GlobusUpstream { _, number in
        guard number > 1 else { return .init(status, hidden) }
        return .init(
          200,
          #"{"entity_type": "GCSv5_mapped_collection", "high_assurance": false, "#
            + #""display_name": "Hidden", "https_server": "https://localhost:8443"}"#)
      }
      let bed = try SignInBed(transferURL: transfer.url)
      defer { bed.close() }
      let first = try await bed.browser.get("\(bed.baseURL)/\(mapped)/\(query)")
      #expect(try Query(first.location.split(separator: "?")[1])["scope"] == GlobusScopes.lookup)
      let back = try await bed.browser.consent("approve", at: first.location)
      let second = try await bed.browser.get(back)
      #expect(second.status == 303)
      #expect(
        try Query(second.location.split(separator: "?")[1])["scope"]
          == GlobusScopes.access([(mapped, true)]))
      #expect(bed.browser.cookies.count == 1)
      #expect(bed.replies.last?.username == "researcher@example.org")
      let end = try await bed.browser.consent("approve", at: second.location)
      let credential = try bed.sealer.open(try await bed.browser.get(end).body)
      #expect(credential.isStrict)
      #expect(credential.collections[0].httpsHost == "localhost:8443")
      // Asked first with the app's token, then with the person's.
      let tokens = transfer.requests.compactMap { $0["Authorization"] }
      #expect(tokens.count == 2 && tokens[0] != tokens[1])
    }
  }

  @Test(arguments: [
    (#""GCSv5_mapped_collection", "https_server": null"#, 409, "NoHTTPSServer"),
    (#""GCP_mapped_collection", "https_server": "https://a.example""#, 409, "NoHTTPSServer"),
    (#""GCSv5_guest_collection", "https_server": "http://a.example""#, 409, "NoHTTPSServer"),
    (#""GCSv5_guest_collection", "https_server": "https://a.example/x""#, 409, "NoHTTPSServer"),
    (#""GCSv5_guest_collection", "https_server": 5"#, 503, "ServiceUnavailable"),
  ])
  func documentsThatCannotBeServed(document: String, status: Int, code: String) async throws {
    try await onLoop {
      let transfer = try GlobusUpstream { _, _ in
        .init(200, #"{"entity_type": \#(document)}"#)
      }
      let bed = try SignInBed(transferURL: transfer.url)
      defer { bed.close() }
      let page = try await bed.browser.get(
        "\(bed.baseURL)/\(mapped)/?auth", accept: "application/json")
      #expect(page.status == status)
      #expect(try json(Failure.self, page).error == code)
      #expect(bed.replies.last?.errorCode == code && bed.replies.last?.collections == [mapped])
    }
  }

  @Test func globusBeingAwayIs503() async throws {
    try await onLoop {
      let slow = try GlobusUpstream { _, _ in
        .init(429, "", headers: ["Retry-After": "7"])
      }
      let throttled = try SignInBed(transferURL: slow.url)
      defer { throttled.close() }
      let wait = try await throttled.browser.get("\(throttled.baseURL)/\(mapped)/?auth")
      #expect(wait.status == 503 && wait.head.headers["Retry-After"] == "7")

      let closed = try ClosedPort()
      defer { withExtendedLifetime(closed) {} }
      let url = "http://127.0.0.1:\(closed.number)"
      for bed in [
        try SignInBed(transferURL: url), try SignInBed(authURL: url),
        try SignInBed(clientSecret: "wrong"),
      ] {
        defer { bed.close() }
        #expect(try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth").status == 503)
      }
    }
  }

  @Test func consentThatLacksARightIs403() async throws {
    try await onLoop {
      // An Auth that grants nothing for the collection.
      let auth = try GlobusUpstream { head, _ in
        if head.target.hasSuffix("/userinfo") {
          return .init(200, #"{"sub": "5ca1ab1e-0000-4000-8000-000000000001"}"#)
        }
        return .init(
          200,
          #"{"access_token": "T", "expires_in": 60, "resource_server": "transfer.api.globus.org", "#
            + #""scope": "\#(GlobusScopes.transfer)", "token_type": "Bearer", "other_tokens": ["#
            + #"{"access_token": "I", "expires_in": 60, "resource_server": "auth.globus.org", "#
            + #""scope": "openid", "token_type": "Bearer"}]}"#)
      }
      let transfer = try GlobusUpstream { _, _ in
        .init(
          200,
          #"{"entity_type": "GCSv5_guest_collection", "https_server": "https://a.example"}"#)
      }
      let bed = try SignInBed(transferURL: transfer.url, authURL: auth.url)
      defer { bed.close() }
      let start = try await bed.browser.get("\(bed.baseURL)/\(mapped)/?auth")
      let state = try #require(try Query(start.location.split(separator: "?")[1])["state"])
      let page = try await bed.browser.get(
        "\(bed.baseURL)/?auth-callback&code=c&state=\(state)", accept: "application/json")
      #expect(page.status == 403)
      #expect(try json(Failure.self, page).error == "ConsentIncomplete")
      // The code went to the token endpoint with the verifier, and only there.
      let posted = auth.requests.filter { $0.method == "POST" }
      #expect(posted.count == 2 && posted.allSatisfy { $0.target == "/v2/oauth2/token" })
      #expect(posted.allSatisfy { $0["Authorization"]?.hasPrefix("Basic ") == true })
    }
  }
}
