// Scope strings: what they say, and what is none.

import Testing

@testable import LocalGlobus

@Suite struct ScopeTests {
  @Test func dependenciesAndTheirMarks() throws {
    let scopes = try Scope.parse(" a  b[*c d[e]] f ")
    #expect(
      scopes == [
        Scope(name: "a"),
        Scope(
          name: "b",
          dependencies: [
            Scope(name: "c", optional: true),
            Scope(name: "d", dependencies: [Scope(name: "e")]),
          ]),
        Scope(name: "f"),
      ])
    #expect(scopes[1].allNames == ["b", "c", "d", "e"])
  }

  @Test func equalNamesBecomeOneScopeWithAllDependencies() throws {
    let scopes = try Scope.parse("a[b] c a[d] a[b]")
    #expect(scopes.map(\.name) == ["a", "c"])
    #expect(scopes[0].dependencies.map(\.name) == ["b", "d"])
  }

  @Test func nothingIsNoScope() throws { #expect(try Scope.parse("  ") == []) }

  @Test(arguments: ["a[", "a]", "a[b", "a[b]]", "*a", "[b]", "a[*]", "a**", "a[b]c*"])
  func malformedOnes(_ text: String) {
    #expect(throws: Scope.SyntaxError.self) { try Scope.parse(text) }
  }

  @Test func limits() throws {
    let nested = { (depth: Int) in
      String(repeating: "a[", count: depth) + "b" + String(repeating: "]", count: depth)
    }
    #expect(try Scope.parse(nested(Limits.scopeDepth)).count == 1)
    #expect(throws: Scope.SyntaxError.self) { try Scope.parse(nested(Limits.scopeDepth + 1)) }
    #expect(try Scope.parse(String(repeating: "a", count: Limits.scopeBytes)).count == 1)
    #expect(throws: Scope.SyntaxError.self) {
      try Scope.parse(String(repeating: "a", count: Limits.scopeBytes + 1))
    }
  }
}
