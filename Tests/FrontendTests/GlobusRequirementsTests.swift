// What Globus wants of a sign-in: read from its errors, written into a link, read from that again.

import FoundationEssentials
import Testing

@testable import Frontend

private let id = CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!
private let other = CollectionID("1b6d2c9e-0000-4000-8000-00000000bbbb")!
private let uuid = "5ca1ab1e-0000-4000-8000-000000000001"

@Suite struct GlobusRequirementsTests {
  private let all = #"""
    {"session_message": "Please use your university account",
     "session_required_identities": ["5ca1ab1e-0000-4000-8000-000000000001"],
     "session_required_single_domain": ["Uni.example", "b.example"],
     "session_required_policies": "5ca1ab1e-0000-4000-8000-000000000001,5ca1ab1e-0000-4000-8000-000000000002",
     "session_required_mfa": true, "prompt": "login", "something_new": [1],
     "required_scopes": ["https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000aaaa/https"]}
    """#
  private let pairs = [
    "session_required_identities=5ca1ab1e-0000-4000-8000-000000000001",
    "session_required_single_domain=uni.example,b.example",
    "session_required_policies=5ca1ab1e-0000-4000-8000-000000000001,5ca1ab1e-0000-4000-8000-000000000002",
    "session_required_mfa=true", "prompt=login",
    "session_message=Please use your university account",
    "required_scopes=https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000aaaa/https",
  ]

  private func written(_ requirements: SignInRequirements) -> [String] {
    requirements.parameters.map { "\($0.name)=\($0.value)" }
  }

  @Test func everyParameterGoesIntoTheLinkAndBack() throws {
    let read = SignInRequirements(json: Array(#"{"authorization_parameters": \#(all)}"#.utf8))
    #expect(written(read) == pairs)
    let query = try Query(read.querySuffix.dropFirst())
    #expect(SignInRequirements(link: query.parameters.map { ($0.name, $0.value) }) == read)
    #expect(!read.sessionParameters.contains { $0.name == "required_scopes" })
    #expect(SignInRequirements.none.querySuffix == "")
  }

  /// Whatever Globus says, the link that comes of it is one that is taken.
  @Test func everyErrorMakesALinkThatIsTaken() throws {
    let seed = UInt64.random(in: .min ... .max)
    var random = SplitMix64(state: seed)
    let values = [
      uuid, uuid.uppercased(), "a.example", "A.EXAMPLE", String(repeating: "é", count: 90), "a,b.c",
      "true", "True", "login", "none", "\n", "", " ", "<b>", "&x=y", "%26", "\u{202e}", "a\u{0}b",
      GlobusScopes.https(id), GlobusScopes.dataAccess(other), GlobusScopes.transfer,
      "\(GlobusScopes.transfer)[*\(GlobusScopes.dataAccess(id))]", "openid", "\\\"", "]", "[",
    ]
    for _ in 0..<300 {
      let fields = SignInRequirements.Name.all.map { name in
        let list = (0..<Int.random(in: 0...9, using: &random)).map { _ in
          Fields.Value.text(values.randomElement(using: &random) ?? "")
        }
        return (name, Bool.random(using: &random) ? Fields.Value.list(list) : list.first ?? .none)
      }
      let document = try JSONEncoder().encode(["authorization_parameters": Fields(values: fields)])
      for read in [
        SignInRequirements(json: Array(document)),
        SignInRequirements(message: String(decoding: document, as: UTF8.self)),
      ] {
        let query = try Query(read.querySuffix.dropFirst())
        let again = SignInRequirements(link: query.parameters.map { ($0.name, $0.value) })
        #expect(again == read, "seed \(seed): \(String(decoding: document, as: UTF8.self))")
      }
    }
  }

  private struct Fields: Encodable {
    indirect enum Value: Encodable {
      case none
      case text(String)
      case list([Value])

      func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .none: try container.encode(true)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        }
      }
    }
    let values: [(String, Value)]

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(Dictionary(uniqueKeysWithValues: values))
    }
  }

  @Test func whatStandsInTheMessageCounts() {
    let result = #"530-GridFTP-JSON-Result: {"authorization_parameters": \#(all)}\r\n530 End."#
    #expect(written(SignInRequirements(message: result)) == pairs)
    let escaped = result.replacing("\"", with: "\\\"")
    #expect(written(SignInRequirements(message: escaped)) == pairs)
    // Cut off anywhere: what is whole is kept, and nothing is invented.
    for count in stride(from: 0, to: result.utf8.count, by: 3) {
      let cut = String(decoding: result.utf8.prefix(count), as: UTF8.self)
      let read = SignInRequirements(message: cut)
      #expect(read.identities.allSatisfy { $0.description == uuid })
      #expect(read.domains.allSatisfy { ["uni.example", "b.example"].contains($0) }, "\(cut)")
    }
  }

  @Test func whatIsNotOfItsKindIsDropped() {
    let body = #"""
      {"authorization_parameters": {"session_message": "\u0007", "prompt": "none",
       "session_required_identities": ["x", "5ca1ab1e-0000-4000-8000-000000000001", "<b>"],
       "session_required_single_domain": ["a b.example", "-x.example", "localhost", "a.example/x",
         "a.example:1", "a.example&prompt=login", "é.example"],
       "session_required_policies": [1, 2], "session_required_mfa": "maybe",
       "required_scopes": ["urn:globus:auth:scope:groups.api.globus.org:all", "openid",
         "https://auth.globus.org/scopes/1b6d2c9e-0000-4000-8000-00000000aaaa/manage"]}}
      """#
    let read = SignInRequirements(json: Array(body.utf8))
    #expect(written(read) == ["session_required_identities=\(uuid)"])
    for body in ["", "[]", "null", #"{"authorization_parameters": 7}"#, "\u{0}"] {
      #expect(SignInRequirements(json: Array(body.utf8)) == .none)
    }
  }

  @Test func limitsAreCrossed() {
    func list(_ count: Int, _ value: String) -> [UInt8] {
      let values = Array(repeating: "\"\(value)\"", count: count).joined(separator: ",")
      return Array(
        """
        {"authorization_parameters": {"session_required_policies": [\(values)],
        "session_required_single_domain": [\(values)]}}
        """.utf8)
    }
    let most = GlobusLimits.requirementValues
    for count in [most, most + 1] {
      #expect(SignInRequirements(json: list(count, uuid)).policies.count == most)
      let text = Array(repeating: uuid, count: count).joined(separator: ",")
      #expect(
        (SignInRequirements(link: [("session_required_policies", text)]) == nil) == (count > most))
    }
    let label = String(repeating: "a", count: 60)
    let domain = "\(label).\(label).\(label).example"
    let kept = SignInRequirements(json: list(2, domain)).domains
    #expect(kept == [domain])
    #expect(
      SignInRequirements(link: [("session_required_single_domain", "\(domain),\(domain)")]) == nil)
    let longest = String(repeating: "m", count: GlobusLimits.requirementMessageBytes)
    #expect(SignInRequirements(link: [("session_message", longest)])?.message == longest)
    #expect(SignInRequirements(link: [("session_message", longest + "m")]) == nil)
    let document = #"{"authorization_parameters": {"session_message": "\#(longest)m"}}"#
    #expect(SignInRequirements(json: Array(document.utf8)).message == longest)
  }

  @Test(arguments: [
    ("session_required_identities", ""), ("session_required_identities", "x"),
    ("session_required_identities", "\(uuid),"), ("session_required_identities", "\(uuid) \(uuid)"),
    ("session_required_policies", "<script>"), ("session_required_single_domain", "a.example&b"),
    ("session_required_single_domain", "a.example,,b.example"), ("session_required_mfa", ""),
    ("session_required_mfa", "false"), ("prompt", "none"), ("prompt", "consent"), ("prompt", ""),
    ("session_message", ""), ("session_message", "a\nb"), ("required_scopes", ""),
    ("required_scopes", "openid"), ("required_scopes", "\(GlobusScopes.transfer)[openid]"),
    ("required_scopes", "\(GlobusScopes.transfer)[]"),
    ("required_scopes", "https://evil.example/scopes/\(id)/https"),
  ])
  func linksWithOtherValuesAreRefused(name: String, value: String) {
    #expect(SignInRequirements(link: [(name, value)]) == nil)
  }

  @Test func aParameterTwiceIsRefused() {
    #expect(SignInRequirements(link: [("prompt", "login")]) != nil)
    #expect(SignInRequirements(link: [("prompt", "login"), ("prompt", "login")]) == nil)
  }

  @Test(arguments: [
    ("\(GlobusScopes.transfer)", [CollectionID](), [CollectionID]()),
    (GlobusScopes.https(id), [id], []), (GlobusScopes.dataAccess(id), [id], [id]),
    ("\(GlobusScopes.transfer)[*\(GlobusScopes.dataAccess(id))]", [id], [id]),
    (
      "\(GlobusScopes.transfer)[\(GlobusScopes.dataAccess(id)) *\(GlobusScopes.dataAccess(other))]",
      [id, other], [id, other]
    ),
  ])
  func scopes(text: String, collections: [CollectionID], dataAccess: [CollectionID]) throws {
    let scope = try #require(RequiredScope(text))
    #expect(scope.collections == Set(collections) && scope.dataAccess == Set(dataAccess))
  }

  @Test func aScopeThatIsTooLongIsNone() {
    let three = Array(repeating: GlobusScopes.dataAccess(id), count: 3).joined(separator: " ")
    #expect(RequiredScope("\(GlobusScopes.transfer)[\(three)]") == nil)
  }

  @Test func scopesOfOtherCollectionsAreLeftOut() throws {
    let requirements = try #require(
      SignInRequirements(
        link: [
          ("required_scopes", "\(GlobusScopes.https(id)),\(GlobusScopes.https(other))")
        ]))
    #expect(requirements.limited(to: [id]).scopes.map(\.text) == [GlobusScopes.https(id)])
    #expect(requirements.limited(to: [id, other]) == requirements)
  }
}
