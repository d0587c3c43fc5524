// The pure parts of the sign-in: which form an answer has, callbacks, cookies and addresses.

import Testing

@testable import Frontend

private let a = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let b = CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!

@Suite struct SignInAcceptTests {
  @Test(arguments: [
    ("", AnswerForm.text), ("*/*", .text), ("text/plain", .text), ("text/*", .text),
    ("text/html", .html), ("TEXT/HTML", .html), ("application/json", .json),
    ("application/json; charset=utf-8", .json), ("application/*", .json),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", .html),
    ("application/json, text/plain, */*", .json), ("text/plain, application/json", .text),
    ("*/*, application/json", .json), ("*/*;q=1, text/html;q=0.5", .text),
    ("text/html;q=0.2, application/json;q=0.3", .json),
    ("text/html;q=0, */*", .text), ("text/plain;q=0, */*", .json),
    ("text/html;q=0", .text), ("application/json;q=0", .text), ("image/png", .text),
    ("text/html;q=2", .text), ("text/html; Q=0.5, */*;q=0.4", .html), (",,;q=1,", .text),
    ("text/html;q=0.123, application/json;q=0.1235", .html), ("text/html;q=.9", .text),
  ])
  func forms(accept: String, expected: AnswerForm) {
    #expect(AnswerForm(accept: accept) == expected)
  }

  @Test func whatIsBeyondTheLimitIsNotLookedAt() {
    let padding = String(repeating: "x,", count: GlobusLimits.acceptHeaderBytes / 2)
    #expect(AnswerForm(accept: padding + "text/html") == .text)
  }
}

@Suite struct SignInCallbackTests {
  private typealias Pair = (name: String, value: String)

  @Test func codesAndRefusals() {
    let issuer = "https://auth.globus.org"
    let parse = { (pairs: [(name: String, value: String)]) in
      CallbackParameters([("auth-callback", "")] + pairs, issuer: issuer)
    }
    #expect(parse([("code", "c"), ("state", "s")])?.outcome == .code(Secret("c")))
    #expect(parse([("code", "c"), ("state", "s")])?.state == "s")
    #expect(parse([("code", "c"), ("state", "s"), ("iss", issuer)]) != nil)
    #expect(parse([("code", "c"), ("state", "s"), ("more", "x")]) != nil)
    for (error, refusal) in [
      ("access_denied", CallbackParameters.Refusal.accessDenied), ("server_error", .unavailable),
      ("temporarily_unavailable", .unavailable), ("invalid_scope", .other), ("", .other),
    ] {
      #expect(
        parse([("error", error), ("error_description", "<b>"), ("state", "s")])?.outcome
          == .error(refusal))
    }
    let long = String(repeating: "a", count: GlobusLimits.callbackParameterBytes + 1)
    let bad: [[(name: String, value: String)]] = [
      [], [("state", "s")], [("code", "c")], [("code", ""), ("state", "s")],
      [("code", "c"), ("state", "")], [("code", "c"), ("error", "e"), ("state", "s")],
      [("code", "c"), ("code", "c"), ("state", "s")],
      [("code", "c"), ("state", "s"), ("state", "s")],
      [("error", "e"), ("error", "e"), ("state", "s")],
      [("code", "c"), ("state", "s"), ("x", "1"), ("x", "2")],
      [("code", "c"), ("state", "s"), ("iss", "https://evil.example")],
      [("code", long), ("state", "s")], [("code", "c"), ("state", long)],
      [("code", "c"), ("state", "s"), ("error_description", long)],
    ]
    for pairs in bad { #expect(parse(pairs) == nil, "\(pairs.map(\.name))") }
  }
}

@Suite struct SignInCookieTests {
  private let keyring = Keyring.random()
  private let flow = SignInFlow(
    targets: [
      SignInFlow.Target(
        id: a,
        known: SignInFlow.Target.Known(
          httpsHost: "data.example.org:8443", needsDataAccess: true, name: "Lab \"1\"")),
      SignInFlow.Target(id: b),
    ], isStrict: true)

  @Test func attributesFollowTheScheme() throws {
    let secure = try SignInCookie(keyring: keyring, isSecure: true).set(flow, now: 0)
    let plain = try SignInCookie(keyring: keyring, isSecure: false).set(flow, now: 0)
    #expect(secure.hasPrefix("__Host-gs3-\(flow.state.prefix(6))="))
    #expect(secure.hasSuffix("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure"))
    #expect(plain.hasPrefix("gs3-\(flow.state.prefix(6))="))
    #expect(plain.hasSuffix("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax"))
    #expect(
      SignInCookie(keyring: keyring, isSecure: true).clear("__Host-gs3-abcdef")
        == "__Host-gs3-abcdef=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure")
    #expect(!secure.contains(flow.verifier.secret.value) && !secure.contains(a.description))
  }

  @Test func onlyTheBrowserThatBeganComesBack() throws {
    let cookie = SignInCookie(keyring: keyring, isSecure: true)
    let pair = String(try cookie.set(flow, now: 1000).prefix { $0 != ";" })
    let found = { (state: String, headers: [String], now: Int64) in
      cookie.flow(for: state, in: headers, now: now)
    }
    #expect(found(flow.state, [pair], 1000) == flow)
    #expect(found(flow.state, ["x=1; \(pair); y=2"], 1599) == flow)
    #expect(found(flow.state, ["x=1", pair], 1000) == flow)
    // Another of the same name, planted before it, does not shadow it.
    #expect(found(flow.state, ["\(cookie.name(for: flow.state))=x; \(pair)"], 1000) == flow)
    #expect(found(flow.state, [pair], 1600) == nil)
    #expect(found(flow.state, [], 1000) == nil)
    #expect(found(String(flow.state.dropLast()) + "!", [pair], 1000) == nil)
    let other = SignInFlow(targets: flow.targets, isStrict: false)
    #expect(found(other.state, [pair], 1000) == nil)
    let renamed = pair.replacing(
      flow.state.prefix(6), with: other.state.prefix(6), maxReplacements: 1)
    #expect(found(other.state, [renamed], 1000) == nil)
    let foreign = SignInCookie(keyring: .random(), isSecure: true)
    #expect(foreign.flow(for: flow.state, in: [pair], now: 1000) == nil)
    let padding = String(repeating: "x", count: GlobusLimits.cookieHeaderBytes)
    #expect(found(flow.state, ["\(padding); \(pair)"], 1000) == nil)
  }

  @Test func aBrowserHasAtMostFiveFlows() {
    let cookie = SignInCookie(keyring: keyring, isSecure: false)
    let names = (0..<7).map { "gs3-aaaaa\($0)" }
    let header = names.map { "\($0)=v" }.joined(separator: "; ")
    #expect(cookie.surplus(in: [header]) == Array(names.prefix(3)))
    #expect(cookie.surplus(in: [names.prefix(4).map { "\($0)=v" }.joined(separator: "; ")]) == [])
    // Names that are not ours are never sent back.
    #expect(
      cookie.surplus(in: (0..<9).map { "gs3-<b>\($0)=v; other\($0)=v; gs3-long12\($0)=v" }) == [])
  }

  @Test func flowsThatDoNotFitACookieAreRefused() {
    func flow(hostBytes: Int) -> SignInFlow {
      let targets = (0..<CredentialLimits.collections).map { index in
        SignInFlow.Target(
          id: CollectionID("1b6d2c9e-0000-4000-8000-00000000000\(index)")!,
          known: SignInFlow.Target.Known(
            httpsHost: String(repeating: "h", count: hostBytes), needsDataAccess: true,
            name: String(repeating: "n", count: GlobusLimits.displayNameBytes)))
      }
      return SignInFlow(targets: targets, isStrict: false)
    }
    let cookie = SignInCookie(keyring: keyring, isSecure: true)
    #expect(throws: (any Error).self) { try cookie.set(flow(hostBytes: 250), now: 0) }
    // As many as a sign-in may name, with names and hosts longer than the usual.
    #expect(throws: Never.self) { try cookie.set(flow(hostBytes: 100), now: 0) }
  }

  /// One collection with everything that a link may ask for, at its longest.
  @Test func whatALinkMayAskForFitsACookie() throws {
    let text = { (count: Int) in String(repeating: "x", count: count) }
    let uuids = Array(repeating: a.description, count: GlobusLimits.requirementValues)
      .joined(separator: ",")
    let scopes = [
      "\(GlobusScopes.transfer)[*\(GlobusScopes.dataAccess(a))]", GlobusScopes.https(a),
    ]
    var flow = SignInFlow(
      targets: [
        SignInFlow.Target(
          id: a,
          known: SignInFlow.Target.Known(
            httpsHost: text(GlobusLimits.hostBytes), needsDataAccess: true,
            name: text(GlobusLimits.displayNameBytes)))
      ], isStrict: true)
    flow.root = RootFolder(text(CredentialLimits.rootFolderBytes - 1))
    flow.mayBePrivate = true
    flow.requirements = try #require(
      SignInRequirements(
        link: [
          ("session_required_identities", uuids), ("session_required_policies", uuids),
          (
            "session_required_single_domain",
            Array(repeating: text(60), count: 4).joined(separator: ".")
          ), ("session_required_mfa", "true"), ("prompt", "login"),
          ("session_message", text(GlobusLimits.requirementMessageBytes)),
          ("required_scopes", scopes.joined(separator: ",")),
        ]))
    let cookie = SignInCookie(keyring: keyring, isSecure: true)
    let line = try cookie.set(flow, now: 0)
    #expect(line.utf8.count <= CredentialLimits.cookieTextBytes)
    let pair = String(line.prefix { $0 != ";" })
    #expect(cookie.flow(for: flow.state, in: [pair], now: 0) == flow)
    // All flows of a browser at their longest are looked at.
    let others = Array(
      repeating: "x=" + text(CredentialLimits.cookieTextBytes - 8),
      count: GlobusLimits.flowsPerBrowser)
    #expect(cookie.flow(for: flow.state, in: others + [pair], now: 0) == flow)
  }

  @Test func statesAndVerifiersAreNeverTheSame() {
    let flows = (0..<8).map { _ in SignInFlow(targets: [], isStrict: false) }
    #expect(Set(flows.map(\.state)).count == 8)
    #expect(Set(flows.map(\.verifier.secret)).count == 8)
    #expect(flows.allSatisfy { $0.state.utf8.count == 22 })
  }

  @Test func aTripAsksForWhatItKnows() {
    #expect(!flow.isLast)
    #expect(flow.scope == GlobusScopes.lookup)
    let last = SignInFlow(targets: [flow.targets[0]], isStrict: false)
    #expect(last.isLast)
    #expect(last.scope == GlobusScopes.access([(a, true)]))
  }

  @Test func nothingElseDecodesAsAFlow() {
    let target = #""c":[{"i":"1b6d2c9e-0000-4000-8000-00000000aaaa"}]"#
    #expect(
      SignInFlow(decoding: Array(#"{"s":"x","v":"y","r":true,\#(target)}"#.utf8)) != nil)
    for text in [
      "", "{}", "[]", #"{"s":"x","v":"y","r":true,"c":[]}"#,
      #"{"s":"x","v":"y","r":true,"c":[{"i":"no uuid"}]}"#,
      #"{"s":"x","v":"y","r":true,\#(target),"f":"/a/.."}"#,
      #"{"s":"x","v":"y","r":true,\#(target),"q":["prompt","none"]}"#,
    ] { #expect(SignInFlow(decoding: Array(text.utf8)) == nil) }
  }
}
