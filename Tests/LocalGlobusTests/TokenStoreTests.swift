// Codes and tokens over time.

import Crypto
import Testing

@testable import LocalGlobus

@Suite struct TokenStoreTests {
  static let verifier = "a-verifier-of-at-least-forty-three-characters"

  func authorization(challenge: Bool = false) -> Authorization {
    Authorization(
      redirectURI: "http://app/", scopes: [Scope(name: "openid")], identity: .researcher,
      offline: true,
      codeChallenge: challenge ? Base64URL.encode(SHA256.hash(Self.verifier.utf8)) : nil)
  }

  @Test func aCodeIsUsedUpByTheFirstAttempt() throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let code = try store.makeCode(for: authorization(), now: 0)
    #expect(store.redeem(code, redirectURI: "http://other/", verifier: nil, now: 1) == nil)
    #expect(store.redeem(code, redirectURI: "http://app/", verifier: nil, now: 1) == nil)
  }

  @Test(
    arguments: [(verifier, true, true), (nil, true, false), ("x", true, false)]
      as [(String?, Bool, Bool)])
  func theVerifierMustFit(_ verifier: String?, _ challenge: Bool, _ works: Bool) throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let code = try store.makeCode(for: authorization(challenge: challenge), now: 0)
    let redeemed = store.redeem(code, redirectURI: "http://app/", verifier: verifier, now: 1)
    #expect((redeemed != nil) == works)
  }

  @Test func aVerifierNeedsAChallenge() throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let code = try store.makeCode(for: authorization(), now: 0)
    #expect(
      store.redeem(code, redirectURI: "http://app/", verifier: Self.verifier, now: 1) == nil)
  }

  @Test func codesExpire() throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let inTime = try store.makeCode(for: authorization(), now: 0)
    let late = try store.makeCode(for: authorization(), now: 0)
    let end = Limits.codeLifetimeSeconds
    #expect(store.redeem(inTime, redirectURI: "http://app/", verifier: nil, now: end - 1) != nil)
    #expect(store.redeem(late, redirectURI: "http://app/", verifier: nil, now: end) == nil)
  }

  func issue(_ store: inout TokenStore, offline: Bool, now: Int64) throws -> IssuedToken {
    try store.issue(
      resourceServer: "auth.globus.org", scopes: [Scope(name: "openid")], identity: .researcher,
      offline: offline, now: now)
  }

  @Test func accessTokensExpireAndAreRefreshed() throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let issued = try issue(&store, offline: true, now: 0)
    #expect(store.accessToken(issued.accessToken, now: 99) != nil)
    #expect(store.accessToken(issued.accessToken, now: 100) == nil)
    let refreshToken = try #require(issued.refreshToken)
    let refreshed = try #require(try store.refresh(refreshToken, now: 100))
    #expect(store.accessToken(refreshed.accessToken, now: 199)?.has("openid") == true)
    #expect(try store.refresh(issued.accessToken, now: 100) == nil)
    #expect(try issue(&store, offline: false, now: 0).refreshToken == nil)
  }

  @Test func revokingARefreshTokenEndsItsAccessTokens() throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let issued = try issue(&store, offline: true, now: 0)
    let other = try issue(&store, offline: true, now: 0)
    store.revoke(try #require(issued.refreshToken))
    #expect(store.accessToken(issued.accessToken, now: 1) == nil)
    #expect(store.accessToken(other.accessToken, now: 1) != nil)
    let refreshToken = try #require(other.refreshToken)
    store.revoke(other.accessToken)
    #expect(store.accessToken(other.accessToken, now: 1) == nil)
    #expect(try store.refresh(refreshToken, now: 1) != nil)
  }

  @Test func aFullStoreRefusesUntilSomethingExpires() throws {
    var store = TokenStore(accessTokenLifetime: 100, capacity: (codes: 2, tokens: 2))
    for _ in 0..<2 {
      _ = try store.makeCode(for: authorization(), now: 0)
      _ = try issue(&store, offline: false, now: 0)
    }
    #expect(throws: TokenStore.Full.self) { try store.makeCode(for: authorization(), now: 1) }
    #expect(throws: TokenStore.Full.self) { try issue(&store, offline: false, now: 1) }
    _ = try store.makeCode(for: authorization(), now: Limits.codeLifetimeSeconds)
    for now in [100, 200] as [Int64] { _ = try issue(&store, offline: true, now: now) }
    #expect(throws: TokenStore.Full.self) { try issue(&store, offline: true, now: 400) }
  }

  @Test func tokensLookLikeGlobuss() throws {
    var store = TokenStore(accessTokenLifetime: 100)
    let token = try issue(&store, offline: false, now: 0).accessToken
    #expect(token.hasPrefix("Ag") && 85...105 ~= token.utf8.count)
    #expect(token.utf8.allSatisfy(Base62.isDigit))
  }
}
