// The keys that this service seals with. One key is primary and seals; those in state `accept`
// open what they sealed; retired ones open nothing and stay in the file as a record.
//
// A key's 32 bytes are never used as they are: each purpose has a subkey of its own (HKDF), so no
// text made for one purpose means anything for another.

import Crypto

/// Keys in memory, of a file or made for this process.
public struct Keyring: Sendable {
  let keys: [Key]
  /// The key that seals.
  let primary: Key

  /// One random key, which ends with the process.
  public static func random() -> Keyring {
    Keyring(primary: Key(KeyringFile.Entry.random(state: .primary)))
  }

  /// The keys of `file`, refused unless it is private and well-formed.
  public init(file: String) throws(KeyringError) {
    let entries = try KeyringFile.read(file).entries
    keys = entries.map { Key($0) }
    guard let primary = keys.first(where: { $0.state == .primary }) else {
      throw .noPrimary(file)
    }
    self.primary = primary
  }

  private init(primary: Key) {
    self.primary = primary
    keys = [primary]
  }

  /// The key of that id, retired or not.
  func key(id: KeyID) -> Key? { keys.first { $0.id == id } }

  /// 32 bytes for the key that signs the audit's checkpoints: the same as long as the primary is.
  public var auditSigningSeed: SecretBytes { primary.subkey(.auditCheckpoint) }

  /// What a key is for.
  enum Purpose: String, CaseIterable {
    case seal
    case s3Secret = "s3-secret"
    case stateCookie = "state-cookie"
    case listToken = "list-token"
    case auditCheckpoint = "audit-checkpoint"
  }

  struct Key: Sendable {
    let id: KeyID
    let state: KeyState
    private let subkeys: [Purpose: SecretBytes]

    init(_ entry: KeyringFile.Entry) {
      id = entry.id
      state = entry.state
      var subkeys: [Purpose: SecretBytes] = [:]
      for purpose in Purpose.allCases { subkeys[purpose] = Self.derive(purpose, from: entry.key) }
      self.subkeys = subkeys
    }

    /// 32 bytes for `purpose` alone.
    func subkey(_ purpose: Purpose) -> SecretBytes {
      guard let subkey = subkeys[purpose] else { preconditionFailure("made for all purposes") }
      return subkey
    }

    private static func derive(_ purpose: Purpose, from key: SecretBytes) -> SecretBytes {
      let info = Array("gs3-subkey-v1".utf8) + [0] + Array(purpose.rawValue.utf8)
      guard let subkey = try? HKDF.sha256(key: key, salt: [], info: info, count: 32) else {
        preconditionFailure("HKDF refuses lengths only")
      }
      return subkey
    }
  }
}

/// What a key may do.
public enum KeyState: String, Sendable {
  /// Seals and opens; one key of a file.
  case primary
  /// Opens.
  case accept
  /// Does nothing any more.
  case retired
}

/// The name of a key: 32 bits, written as 8 hexadecimal digits.
public struct KeyID: Hashable, Sendable, CustomStringConvertible {
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// 8 digits of either case; nil for anything else.
  public init?(_ text: some StringProtocol) {
    guard let bytes = Hex.decode(text), bytes.count == 4 else { return nil }
    self.bytes = bytes
  }

  /// 8 lower-case digits.
  public var description: String { Hex.encode(bytes) }
}
