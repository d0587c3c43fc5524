// The links that start sign-ins: what they may say, and that what is written is read again.

import Testing

@testable import Frontend

private let a = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let b = CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!
private let base = BaseURL("https://s3.example.org")!

private func read(_ query: String, _ ids: [CollectionID] = [a]) throws -> SignInLink {
  let query = try Query(query)
  return try SignInLink(
    query.parameters.map { ($0.name, $0.value) }, collections: ids,
    isStrict: query.contains("strict"))
}

@Suite struct SignInLinkTests {
  @Test func whatIsWrittenIsReadAgain() throws {
    for query in [
      "auth", "auth&strict", "auth&root=/data/a%20b%2B%C3%A9", "auth&strict&root=/~&private",
      "auth&session_required_mfa=true&prompt=login",
      "auth&root=/x&session_required_single_domain=uni.example%2Cb.example",
    ] {
      let link = try read(query)
      #expect(link.url(at: base) == "https://s3.example.org/\(a)/?\(query)")
    }
    let several = try read("auth&collection=\(a)&collection=\(b)&strict", [a, b])
    #expect(
      several.url(at: base)
        == "https://s3.example.org/?auth&collection=\(a)&collection=\(b)&strict")
    // What is no parameter of ours goes nowhere.
    #expect(
      try read("auth&utm=<b>").url(at: base) == "https://s3.example.org/\(a)/?auth")
  }

  @Test func theWholeCollectionIsNoRoot() throws {
    #expect(try read("auth&root=/") == SignInLink(collections: [a]))
  }

  @Test(arguments: [
    ("auth&root", "InvalidRoot"), ("auth&root=", "InvalidRoot"), ("auth&root=/a/..", "InvalidRoot"),
    ("auth&root=//", "InvalidRoot"), ("auth&root=%00", "InvalidRoot"),
    ("auth&root=/a&root=/b", "InvalidRoot"), ("auth&root=/a&root=/a", "InvalidRoot"),
    ("auth&root=%2e%2e", "InvalidRoot"), ("auth&prompt=none", "InvalidSignInLink"),
    ("auth&session_required_mfa", "InvalidSignInLink"),
    ("auth&session_required_identities=%3Cscript%3E", "InvalidSignInLink"),
    (
      "auth&required_scopes=https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000bbbb/https",
      "InvalidSignInLink"
    ),
  ])
  func hostileLinksAreRefused(query: String, code: String) {
    #expect {
      try read(query)
    } throws: { error in
      let error = error as? SignInError
      return error?.status == 400 && error?.code == code
    }
  }

  @Test func aRootIsForOneCollection() {
    #expect(throws: SignInError.rootOfSeveral) {
      try read("auth&root=/a", [a, b])
    }
  }

  @Test func aCredentialIsRenewedAsItWas() {
    var old = credential()
    old.isStrict = true
    old.collections[0].rootFolder = RootFolder("/data/ü")
    let id = old.collections[0].collection
    #expect(
      SignInLink(renewing: old).url(at: base)
        == "https://s3.example.org/\(id)/?auth&strict&root=/data/%C3%BC")
    let many = credential(collections: 3)
    #expect(SignInLink(renewing: many).collections == many.collections.map(\.collection))
  }
}

@Suite struct SignInURLTests {
  @Test func startsAreAtTheBaseURL() {
    let base = BaseURL("https://s3.example.org")!
    #expect(
      SignInLink(collections: [a], isStrict: false).url(at: base)
        == "https://s3.example.org/\(a)/?auth")
    #expect(
      SignInLink(collections: [a], isStrict: true).url(at: base)
        == "https://s3.example.org/\(a)/?auth&strict")
    #expect(
      SignInLink(collections: [a, b], isStrict: true).url(at: base)
        == "https://s3.example.org/?auth&collection=\(a)&collection=\(b)&strict")
  }

  @Test(arguments: [
    ("https://s3.example.org", "s3.example.org", true),
    ("https://s3.example.org", "s3.example.org:443", true),
    ("https://s3.example.org", "s3.example.org:80", false),
    ("https://s3.example.org", "x.s3.example.org", false),
    ("https://s3.example.org", "", false),
    ("http://localhost:8000", "localhost:8000", true),
    ("http://localhost:8000", "localhost", false),
    ("http://localhost:8000", "127.0.0.1:8000", false),
    ("http://example.org", "example.org:80", true),
  ])
  func hosts(base: String, host: String, expected: Bool) {
    #expect(SignInURL.isBase(host, BaseURL(base)!) == expected)
  }
}
