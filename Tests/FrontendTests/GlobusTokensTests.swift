// The token endpoint's and userinfo's answers.

import Testing

@testable import Frontend

private let id = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let all = "urn:globus:auth:scope:transfer.api.globus.org:all"
private let https = "https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000aaaa/https"
private let access =
  "https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000aaaa/data_access"

private func token(_ text: String, _ server: String, _ scope: String, _ more: String = "") -> String
{
  #"{"access_token": "\#(text)", "scope": "\#(scope)", "expires_in": 172800, "#
    + #""token_type": "Bearer", "resource_server": "\#(server)"\#(more)}"#
}

private func answer(_ first: String, others: [String]) -> [UInt8] {
  Array((first.dropLast() + #", "other_tokens": [\#(others.joined(separator: ","))]}"#).utf8)
}

@Suite struct GlobusTokensTests {
  @Test func tokensAreToldApartByResourceServerInAnyOrder() throws {
    let parts = [
      token("AgT", "transfer.api.globus.org", all),
      token("AgH", id.description.uppercased(), "\(access) \(https)"),
      token("AgI", "auth.globus.org", "email openid profile"),
    ]
    for first in parts.indices {
      var others = parts
      let tokens = try AuthTokens(
        answer(others.remove(at: first), others: others.reversed()), now: 1000)
      #expect(tokens.transfer == Token(secret: Secret("AgT"), expiresAt: 173_800))
      #expect(tokens.https(id, needsDataAccess: true)?.secret.value == "AgH")
      #expect(tokens.identity?.secret.value == "AgI")
    }
  }

  @Test func aTokenWithoutItsScopeDoesNotCount() throws {
    let tokens = try AuthTokens(
      answer(
        token("AgT", "transfer.api.globus.org", "other"),
        others: [token("AgH", id.description, https), token("AgI", "auth.globus.org", "email")]),
      now: 0)
    #expect(tokens.transfer == nil)
    #expect(tokens.identity == nil)
    #expect(tokens.https(id, needsDataAccess: true) == nil)
    #expect(tokens.https(id, needsDataAccess: false)?.secret.value == "AgH")
  }

  @Test func oneTokenAloneIsEnough() throws {
    let tokens = try AuthTokens(
      Array(token("AgT", "transfer.api.globus.org", all, #", "other_tokens": null"#).utf8), now: 0)
    #expect(tokens.transfer != nil)
  }

  @Test(arguments: [
    "", "[]", "{}", token("", "s", "x"), token("a b", "s", "x"), token(#"a\r\nX: y"#, "s", "x"),
    token(String(repeating: "a", count: CredentialLimits.tokenBytes + 1), "s", "x"),
    token("a", "s", "x").replacing("172800", with: "0"),
    token("a", "s", "x").replacing("172800", with: "31536001"),
    token("a", "s", "x").replacing("172800", with: #""1""#),
    token("a", "s", "x").replacing("Bearer", with: "mac"),
  ])
  func unusableTokensAreRefused(text: String) {
    #expect {
      _ = try AuthTokens(Array(text.utf8), now: 0)
    } throws: { error in
      if case .unavailable = error as? AuthError { true } else { false }
    }
  }

  @Test func tooManyTokensAreRefused() throws {
    let others = (0..<GlobusLimits.tokensPerAnswer).map { token("a", "s\($0)", "x") }
    let first = token("a", "s", "x")
    _ = try AuthTokens(answer(first, others: Array(others.dropLast())), now: 0)
    #expect(throws: AuthError.self) { _ = try AuthTokens(answer(first, others: others), now: 0) }
  }

  @Test func userinfo() throws {
    let sub = "5ca1ab1e-0000-4000-8000-000000000001"
    let named = try UserInfo(Array(#"{"sub": "\#(sub)", "preferred_username": "a@b"}"#.utf8))
    #expect(named == UserInfo(identity: IdentityID(sub)!, username: "a@b"))
    #expect(try UserInfo(Array(#"{"sub": "\#(sub)"}"#.utf8)).username == sub)
    let long = String(repeating: "ü", count: 100)
    let cut = try UserInfo(Array(#"{"sub": "\#(sub)", "preferred_username": "\#(long)"}"#.utf8))
    #expect(cut.username == String(repeating: "ü", count: CredentialLimits.usernameBytes / 2))
    for text in ["{}", #"{"sub": "me"}"#, #"{"sub": 5}"#] {
      #expect(throws: AuthError.self) { try UserInfo(Array(text.utf8)) }
    }
  }

  @Test func plainTextHasNoControlsAndAnEnd() {
    #expect(plainText("a\u{0}\r\nb\u{7f}\u{85}c", bytes: 10) == "abc")
    #expect(plainText("aüb", bytes: 2) == "a")
  }
}
