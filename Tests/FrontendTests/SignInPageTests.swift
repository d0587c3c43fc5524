// Answers in their three forms: what they hold, what they escape, and the headers of all of them.

import Crypto
import FoundationEssentials
import Reactor
import Testing

@testable import Frontend

private let a = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!

private func signedIn(
  username: String = "researcher@example.org", name: String? = "Lab data", strict: Bool = false
) -> SignedIn {
  let credential = Credential(
    isStrict: strict, issuedAt: 0, expiresAt: 1_772_600_767, sessionID: 0,
    identity: IdentityID("5ca1ab1e-0000-4000-8000-000000000001")!, username: username,
    collections: [
      CollectionGrant(
        collection: a, httpsHost: "data.example.org",
        https: Token(secret: Secret("AgHttps"), expiresAt: 1))
    ], transfer: Token(secret: Secret("AgTransfer"), expiresAt: 1))
  return SignedIn(
    sealed: SealedCredential(accessKeyID: "GS3Akey", secretAccessKey: Secret("sEcReT")),
    credential: credential, names: [name], baseURL: BaseURL("https://s3.example.org")!)
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
      "export AWS_ENDPOINT_URL=https://s3.example.org\n", "[profile globus]\n",
      "region = globus", "aws s3 cp s3://\(a)/",
      "href=\"https://s3.example.org/\(a)/?auth&amp;strict\"", "don't share links",
    ] { #expect(page.contains(part), "\(part)") }
    #expect(!page.contains("AgHttps") && !page.contains("AgTransfer"))
    #expect(!page.contains("<script"))
  }

  @Test func strictCredentialsMayShareLinks() {
    let page = text(SignInAnswer.success(signedIn(strict: true), as: .html))
    #expect(page.contains("<b>strict</b>"))
    #expect(!page.contains("don't share links") && !page.contains("?auth&amp;strict"))
  }

  @Test func whatOthersWroteIsEscaped() {
    let nasty = "<script>\"'&</script>"
    let page = text(SignInAnswer.success(signedIn(username: nasty, name: nasty), as: .html))
    #expect(!page.contains("<script"))
    #expect(
      page.ranges(of: "&lt;script&gt;&quot;&#39;&amp;&lt;/script&gt;").count == 2)
  }

  @Test func theStyleIsTheOnlyThingAllowed() throws {
    let reply = SignInAnswer.success(signedIn(), as: .html)
    let page = text(reply)
    let start = try #require(page.firstRange(of: "<style>")).upperBound
    let end = try #require(page.firstRange(of: "</style>")).lowerBound
    let hash = Data(SHA256.hash(page[start..<end].utf8)).base64EncodedString()
    let policy = try #require(reply.headers["content-security-policy"])
    #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-\(hash)'; "))
    for part in ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
      #expect(policy.contains(part))
    }
  }

  static let everyReply: [(String, SignInReply)] =
    AnswerForm.allCases.flatMap { form in
      [
        ("success \(form)", SignInAnswer.success(signedIn(), as: form)),
        ("failure \(form)", SignInAnswer.failure(.unavailable, as: form, requestID: "R")),
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
    let page = text(
      SignInAnswer.failure(error, as: .html, requestID: "R<1>", retry: retry))
    for part in [
      error.title, error.nextStep, "R&lt;1&gt;",
      "href=\"https://s3.example.org/\(a)/?auth&amp;strict\"",
    ] { #expect(page.contains(part)) }
    let json = SignInAnswer.failure(error, as: .json, requestID: "R")
    let object = try JSONDecoder().decode(Object.self, from: Data(json.body))
    #expect(object.error == "AccessDenied" && object.message.contains(error.nextStep))
    let plain = SignInAnswer.failure(error, as: .text, requestID: "R")
    #expect(text(plain) == "\(error.message) \(error.nextStep)\n")
    for reply in [json, plain] {
      #expect(reply.status == 403 && reply.errorCode == "AccessDenied")
    }
  }

  @Test func waitsAndMethodsHaveTheirHeaders() {
    let slow = SignInAnswer.failure(.slowDown(9), as: .text, requestID: "R")
    #expect(slow.status == 503 && slow.headers["Retry-After"] == "9")
    let method = SignInAnswer.failure(.methodNotAllowed, as: .text, requestID: "R")
    #expect(method.status == 405 && method.headers["Allow"] == "GET")
  }
}
