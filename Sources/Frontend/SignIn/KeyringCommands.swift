// What `globus-s3-frontend key` does to a key file. Rotation: `add` on every instance, `promote`
// once all have it, `retire` the old key when the last credential that it sealed has ended.

extension Keyring {
  /// A key of a file, without its secret.
  public struct Summary: Equatable, Sendable {
    public let id: KeyID
    public let state: KeyState
    /// When it was made, RFC 3339.
    public let created: String
  }

  /// Makes `file`, private to this user, with one primary key; never touches an existing file.
  public static func generate(file: String) throws(KeyringError) -> KeyID {
    let entry = KeyringFile.Entry.random(state: .primary)
    try KeyringFile.create(
      file, lines: [.remark("# id state created key (32 bytes, base64)"), .entry(entry)])
    return entry.id
  }

  /// The keys of `file` in its order.
  public static func list(file: String) throws(KeyringError) -> [Summary] {
    try KeyringFile.read(file).entries.map {
      Summary(id: $0.id, state: $0.state, created: $0.created)
    }
  }

  /// Adds a new key that is accepted and does not seal yet.
  public static func add(file: String) throws(KeyringError) -> KeyID {
    try KeyringFile.update(file) { file throws(KeyringError) in
      var entry = KeyringFile.Entry.random(state: .accept)
      while file.entries.contains(where: { $0.id == entry.id }) { entry = .random(state: .accept) }
      file.lines.append(.entry(entry))
      return entry.id
    }
  }

  /// Makes the accepted key `id` the primary; the primary of before stays accepted.
  public static func promote(_ id: KeyID, file: String) throws(KeyringError) {
    try KeyringFile.update(file) { file throws(KeyringError) in
      let state = try file.state(of: id)
      guard state == .accept else {
        throw .wrongState(file.path, id: id.description, state: state, needed: "accept")
      }
      file.setState { $0.id == id ? .primary : $0.state == .primary ? .accept : $0.state }
    }
  }

  /// Ends the accepted key `id`: what it sealed opens no more.
  public static func retire(_ id: KeyID, file: String) throws(KeyringError) {
    try KeyringFile.update(file) { file throws(KeyringError) in
      let state = try file.state(of: id)
      guard state == .accept else {
        throw .wrongState(file.path, id: id.description, state: state, needed: "accept")
      }
      file.setState { $0.id == id ? .retired : $0.state }
    }
  }
}

extension KeyringFile {
  fileprivate func state(of id: KeyID) throws(KeyringError) -> KeyState {
    guard let entry = entries.first(where: { $0.id == id }) else {
      throw .unknownKey(path, id: id.description)
    }
    return entry.state
  }

  fileprivate mutating func setState(_ state: (Entry) -> KeyState) {
    lines = lines.map {
      guard case .entry(var entry) = $0 else { return $0 }
      entry.state = state(entry)
      return .entry(entry)
    }
  }
}
