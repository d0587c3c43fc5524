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
  /// What the bucket will show of the only target; nil: all of it.
  var root: RootFolder?
  /// What Globus wants beyond the scopes of the targets; asked for on the last trip.
  var requirements = SignInRequirements.none
  var mayBePrivate = false

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

  /// A new trip for these targets, which is otherwise for the same as this one.
  func next(_ targets: [Target]) -> SignInFlow {
    var next = SignInFlow(targets: targets, isStrict: isStrict)
    next.root = root
    next.requirements = requirements
    next.mayBePrivate = mayBePrivate
    return next
  }

  /// The link by which this sign-in would start anew.
  var link: SignInLink {
    var link = SignInLink(collections: targets.map(\.id), isStrict: isStrict)
    link.root = root
    link.requirements = requirements
    link.mayBePrivate = mayBePrivate
    return link
  }

  /// Whether this trip asks for the collections themselves.
  var isLast: Bool { targets.allSatisfy { $0.known != nil } }

  /// What this trip asks for.
  var scope: String {
    guard isLast else { return GlobusScopes.lookup }
    let named = requirements.scopes.reduce(into: Set()) { $0.formUnion($1.dataAccess) }
    return GlobusScopes.access(
      targets.map { ($0.id, $0.known?.needsDataAccess ?? false || named.contains($0.id)) })
  }

  /// Parameters for Auth beside the scope.
  var sessionParameters: [(name: String, value: String)] {
    isLast ? requirements.sessionParameters : []
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
    /// Root folder, private, names and values of requirements by turns.
    var f: String?
    var p: Bool?
    var q: [String]?
  }

  func encoded() -> [UInt8] {
    let wanted = requirements.parameters.flatMap { [$0.name, $0.value] }
    let record = Record(
      s: state, v: verifier.secret.value, r: isStrict,
      c: targets.map {
        Record.Target(
          i: $0.id.description, h: $0.known?.httpsHost, d: $0.known?.needsDataAccess,
          n: $0.known?.name)
      },
      f: root?.description, p: mayBePrivate ? true : nil, q: wanted.isEmpty ? nil : wanted)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Strings and flags always have a JSON form; an empty text would open as no flow.
    return (try? encoder.encode(record)).map { Array($0) } ?? []
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
    let names = record.q ?? []
    let wanted = stride(from: 0, to: names.count - 1, by: 2).map { (names[$0], names[$0 + 1]) }
    guard !targets.isEmpty, let requirements = SignInRequirements(link: wanted) else { return nil }
    self.init(
      state: record.s, verifier: CodeVerifier(secret: Secret(record.v)), isStrict: record.r,
      targets: targets)
    root = record.f.flatMap(RootFolder.init)
    guard (root == nil) == (record.f == nil) else { return nil }
    self.requirements = requirements
    mayBePrivate = record.p ?? false
  }
}
