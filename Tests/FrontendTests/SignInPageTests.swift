// Answers in their three forms: what they hold, what they escape, and the headers of all of them.

import Crypto
import FoundationEssentials
import Reactor
import Testing

@testable import Frontend

private let a = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!

private let b = CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!

private let base = BaseURL("https://s3.example.org")!

private func grant(_ id: CollectionID, root: String? = nil) -> CollectionGrant {
  CollectionGrant(
    collection: id, rootFolder: root.flatMap { RootFolder($0) }, httpsHost: "data.example.org",
    https: Token(secret: Secret("AgHttps"), expiresAt: 1))
}

private func signedIn(
  username: String = "researcher@example.org", name: String? = "Lab data", strict: Bool = false,
  others: [(CollectionID, String?)] = []
) -> SignedIn {
  let credential = Credential(
    isStrict: strict, issuedAt: 0, expiresAt: 1_772_600_767, sessionID: 0,
    identity: IdentityID("5ca1ab1e-0000-4000-8000-000000000001")!, username: username,
    collections: [grant(a)] + others.map { grant($0.0, root: $0.1) },
    transfer: Token(secret: Secret("AgTransfer"), expiresAt: 1))
  return SignedIn(
    sealed: SealedCredential(accessKeyID: "GS3Akey", secretAccessKey: Secret("sEcReT")),
    credential: credential, names: [name] + others.map { _ in nil }, baseURL: base)
}

private func failure(
  _ error: SignInError, as form: AnswerForm, requestID: String = "R", retry: String? = nil,
  baseURL: BaseURL = base
) -> SignInReply {
  SignInAnswer.failure(error, as: form, requestID: requestID, retry: retry, baseURL: baseURL)
}

private func text(_ reply: SignInReply) -> String { String(decoding: reply.body, as: UTF8.self) }

@Suite struct SignInAnswerTests {
  @Test func textIsTheBareAccessKeyID() {
    let reply = SignInAnswer.success(signedIn(), as: .text)
    #expect(text(reply) == "GS3Akey")
    #expect(reply.status == 200 && reply.errorCode == nil)
    #expect(reply.headers["content-type"] == "text/plain; charset=utf-8")
  }

  @Test func jsonIsTheContractsObject() throws {
    struct Object: Decodable, Equatable {
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
    let reply = SignInAnswer.success(signedIn(), as: .json)
    #expect(
      try JSONDecoder().decode(Object.self, from: Data(reply.body))
        == Object(
          accessKeyID: "GS3Akey", secretAccessKey: "sEcReT",
          endpointURL: "https://s3.example.org", expiresAt: "2026-03-04T05:06:07Z",
          collections: [a.description]))
    #expect(reply.headers["content-type"] == "application/json; charset=utf-8")
  }

  @Test func thePageHasWhatToolsNeed() {
    let page = text(SignInAnswer.success(signedIn(), as: .html))
    for part in [
      "Lab data", a.description, "researcher@example.org", "2026-03-04 05:06:07 UTC",
      "export AWS_ACCESS_KEY_ID=GS3Akey\nexport AWS_SECRET_ACCESS_KEY=sEcReT\n",
      "export AWS_ENDPOINT_URL=https://s3.example.org\n", "[profile globus]\nregion = globus\n",
      "GS3Akey\nsEcReT\nglobus\njson\n</pre>", "aws s3 cp s3://\(a)/",
      "endpoint_override=&quot;https://s3.example.org&quot;",
      "ENDPOINT &#39;s3.example.org&#39;, URL_STYLE &#39;path&#39;, USE_SSL true,",
      "href=\"https://s3.example.org/\(a)/?auth&amp;strict\"", "don't share links",
    ] { #expect(page.contains(part), "\(part)") }
    #expect(!page.contains("AgHttps") && !page.contains("AgTransfer"))
    #expect(!page.contains("its folder"))
  }

  @Test func severalCollectionsAndTheirFoldersAreNamed() {
    let result = signedIn(others: [(b, "/projects/<ice>")])
    let page = text(SignInAnswer.success(result, as: .html))
    for part in [
      "2 collections", "<b>Lab data</b><br><code>\(a)</code></li>",
      "<li><code>\(b)</code><br>its folder <code>/projects/&lt;ice&gt;</code>",
      "SCOPE [&#39;s3://\(a)&#39;, &#39;s3://\(b)&#39;]", ">\(a)\n\(b)</pre>",
      "href=\"https://s3.example.org/?auth&amp;collection=\(a)&amp;collection=\(b)&amp;strict\"",
    ] { #expect(page.contains(part), "\(part)") }
  }

  @Test func onlyWhatIsSavedHoldsTheCredential() {
    let snippets = SignInSnippets(signedIn())
    func holds(_ snippet: Snippet) -> Bool {
      snippet.text.contains("GS3Akey") || snippet.text.contains("sEcReT")
    }
    for snippet in [
      snippets.terminal, snippets.settings, snippets.commands, snippets.boto3, snippets.s3fs,
      snippets.pyarrow,
      snippets.duckDB,
    ] { #expect(!holds(snippet), "\(snippet.id)") }
    for snippet in [snippets.answers, snippets.keys, snippets.environment] {
      #expect(holds(snippet), "\(snippet.id)")
    }
  }

  @Test func strictCredentialsMayShareLinks() {
    let page = text(SignInAnswer.success(signedIn(strict: true), as: .html))
    #expect(page.contains("<b>strict</b>"))
    #expect(!page.contains("don't share links") && !page.contains("Get a strict"))
    #expect(page.contains("?auth&amp;strict\">sign in again</a>"))
  }

  @Test func whatOthersWroteIsEscaped() {
    let nasty = "<script>\"'&</script>"
    let page = text(SignInAnswer.success(signedIn(username: nasty, name: nasty), as: .html))
    #expect(page.ranges(of: "<script").count == 1)
    // Who it is, and the collection's name in the lead and among the facts.
    #expect(
      page.ranges(of: "&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;").count == 3)
  }

  @Test(arguments: [true, false])
  func ourStyleAndOurScriptAreTheOnlyThingsAllowed(succeeds: Bool) throws {
    let reply =
      succeeds
      ? SignInAnswer.success(signedIn(), as: .html) : failure(.unknownFlow, as: .html)
    let page = text(reply)
    let policy = try #require(reply.headers["content-security-policy"])
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
      let start = try #require(page.firstRange(of: "<\(tag)>")).upperBound
      let end = try #require(page.firstRange(of: "</\(tag)>")).lowerBound
      let hash = Data(SHA256.hash(page[start..<end].utf8)).base64EncodedString()
      #expect(policy.contains("; \(directive) 'sha256-\(hash)'; "))
    }
    #expect(policy.hasPrefix("default-src 'none'; "))
    for part in ["base-uri 'none'", "frame-ancestors 'none'"] { #expect(policy.contains(part)) }
    #expect(!policy.contains("unsafe") && !policy.contains("*"))
  }

  @Test func onlyAPageWithAFormMayLeadAnywhereByOne() {
    func policy(_ reply: SignInReply) -> String { reply.headers["content-security-policy"] ?? "" }
    #expect(policy(SignInAnswer.success(signedIn(), as: .html)).contains("form-action 'none';"))
    #expect(policy(failure(.unknownFlow, as: .html)).contains("form-action https:;"))
    let plain = BaseURL("http://localhost:8000")!
    #expect(
      policy(failure(.unknownFlow, as: .html, baseURL: plain))
        .contains("form-action https: http:;"))
  }

  static let everyReply: [(String, SignInReply)] =
    AnswerForm.allCases.flatMap { form in
      [
        ("success \(form)", SignInAnswer.success(signedIn(), as: form)),
        ("failure \(form)", failure(.unavailable, as: form)),
      ]
    } + [("redirect", SignInAnswer.redirect(to: "https://auth.globus.org/x"))]

  @Test(arguments: everyReply.indices) func everyAnswerKeepsToItself(index: Int) {
    let (name, reply) = Self.everyReply[index]
    for (header, value) in [
      ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"),
      ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
      ("Cross-Origin-Opener-Policy", "same-origin"),
    ] { #expect(reply.headers[header] == value, "\(name)") }
    #expect(reply.headers["Content-Security-Policy"]?.hasPrefix("default-src 'none'") == true)
  }

  @Test func failuresSayWhatToDoInAllForms() throws {
    struct Object: Decodable { let error, message: String }
    let error = SignInError.accessDenied
    let retry = "https://s3.example.org/\(a)/?auth&strict"
    let page = text(failure(error, as: .html, requestID: "R<1>", retry: retry))
    for part in [
      error.title, error.nextStep, "R&lt;1&gt;",
      "href=\"https://s3.example.org/\(a)/?auth&amp;strict\"",
    ] { #expect(page.contains(part)) }
    let json = failure(error, as: .json)
    let object = try JSONDecoder().decode(Object.self, from: Data(json.body))
    #expect(object.error == "AccessDenied" && object.message.contains(error.nextStep))
    let plain = failure(error, as: .text)
    #expect(text(plain) == "\(error.message) \(error.nextStep)\n")
    for reply in [json, plain] {
      #expect(reply.status == 403 && reply.errorCode == "AccessDenied")
    }
  }

  @Test func everyPageOfAFailureLeadsOn() {
    let retry = "https://s3.example.org/\(a)/?auth"
    let form = "<form action=\"https://s3.example.org/\" method=\"get\">"
    for error in [
      SignInError.accessDenied, .unavailable, .consentIncomplete, .clientRefused, .codeRefused,
      .refusedByGlobus, .invalidRoot, .rootOfSeveral, .noSuchFolder, .invalidLink, .linkTooLong,
      .noAccount, .addressRefused, .methodNotAllowed,
    ] {
      let page = text(failure(error, as: .html, retry: retry))
      #expect(page.contains("href=\"\(retry)\">\(error.link)</a>") && !page.contains(form))
    }
    for error in [SignInError.unknownFlow, .malformedCallback, .unavailable] {
      #expect(text(failure(error, as: .html)).contains(form), "\(error.code)")
    }
    for error in [
      SignInError.noCollectionNamed, .noSuchCollection, .notPublic, .noHTTPSServer,
      .tooManyCollections,
    ] {
      #expect(text(failure(error, as: .html, retry: retry)).contains(form), "\(error.code)")
    }
  }

  @Test func waitsAndMethodsHaveTheirHeaders() {
    let slow = failure(.slowDown(9), as: .text)
    #expect(slow.status == 503 && slow.headers["Retry-After"] == "9")
    let method = failure(.methodNotAllowed, as: .text)
    #expect(method.status == 405 && method.headers["Allow"] == "GET")
  }
}
