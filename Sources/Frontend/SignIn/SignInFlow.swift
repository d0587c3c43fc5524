// SignInFlow: what a browser carries from the start of a sign-in to its callback, sealed in a
// cookie that only this service can read, so that nothing is stored here and a callback counts
// only in the browser that began (RFC 9700 section 4.7).
//
// A flow is one trip to Globus. A collection that only its members see takes two: the first finds
// out its kind, the second asks for what that kind needs.

import Crypto
import FoundationEssentials

/// One trip to Globus.
struct SignInFlow: Equatable, Sendable {
  /// A collection to be opened, with what its document said, once that is known.
  struct Target: Equatable, Sendable {
    let id: CollectionID
    var known: Known?

    struct Known: Equatable, Sendable {
      let httpsHost: String
      let needsDataAccess: Bool
      let name: String?
    }
  }

  /// 128 random bits, base64url: sent to Globus and expected back.
  let state: String
  let verifier: CodeVerifier
  let isStrict: Bool
  let targets: [Target]

  init(targets: [Target], isStrict: Bool) {
    self.init(
      state: Base64URL.encode(Random.bytes(16)), verifier: .random(), isStrict: isStrict,
      targets: targets)
  }

  private init(state: String, verifier: CodeVerifier, isStrict: Bool, targets: [Target]) {
    self.state = state
    self.verifier = verifier
    self.isStrict = isStrict
    self.targets = targets
  }

  /// Whether this trip asks for the collections themselves.
  var isLast: Bool { targets.allSatisfy { $0.known != nil } }

  /// What this trip asks for.
  var scope: String {
    guard isLast else { return GlobusScopes.lookup }
    return GlobusScopes.access(targets.map { ($0.id, $0.known?.needsDataAccess ?? false) })
  }
}

// What is sealed: JSON with names of one letter, for a cookie has little room.
extension SignInFlow {
  private struct Record: Codable {
    struct Target: Codable {
      let i: String
      var h: String?
      var d: Bool?
      var n: String?
    }
    let s: String
    let v: String
    let r: Bool
    let c: [Target]
  }

  func encoded() -> [UInt8] {
    let record = Record(
      s: state, v: verifier.secret.value, r: isStrict,
      c: targets.map {
        Record.Target(
          i: $0.id.description, h: $0.known?.httpsHost, d: $0.known?.needsDataAccess,
          n: $0.known?.name)
      })
    // Strings and flags always have a JSON form; an empty text would open as no flow.
    return (try? JSONEncoder().encode(record)).map { Array($0) } ?? []
  }

  /// Nil for anything that `encoded` did not make.
  init?(decoding bytes: [UInt8]) {
    guard let record = try? JSONDecoder().decode(Record.self, from: Data(bytes)) else {
      return nil
    }
    var targets: [Target] = []
    for entry in record.c {
      guard let id = CollectionID(entry.i) else { return nil }
      var target = Target(id: id)
      if let host = entry.h, let needsDataAccess = entry.d {
        target.known = Target.Known(
          httpsHost: host, needsDataAccess: needsDataAccess, name: entry.n)
      }
      targets.append(target)
    }
    guard !targets.isEmpty else { return nil }
    self.init(
      state: record.s, verifier: CodeVerifier(secret: Secret(record.v)), isStrict: record.r,
      targets: targets)
  }
}
