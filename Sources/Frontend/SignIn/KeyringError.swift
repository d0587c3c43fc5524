/// Why a key file is refused. Descriptions name the file and line and what to do, no content.
public enum KeyringError: Error, Equatable, Sendable, CustomStringConvertible {
  case missing(String)
  case exists(String)
  case notRegular(String)
  /// Group or others may use it; the mode's nine bits.
  case notPrivate(String, mode: UInt32)
  case foreignOwner(String)
  case tooLarge(String)
  case empty(String)
  case malformed(String, line: Int)
  case duplicate(String, line: Int)
  case twoPrimaries(String, line: Int)
  case noPrimary(String)
  case unknownKey(String, id: String)
  /// The key is not in a state from which that can be done.
  case wrongState(String, id: String, state: KeyState, needed: String)
  /// Another process is rewriting it.
  case busy(String)
  case system(String, operation: String, code: Int32)

  public var description: String {
    switch self {
    case .missing(let file):
      "\(file) does not exist; make it with: globus-s3-frontend key generate \(file)"
    case .exists(let file):
      "\(file) exists already; add a key to it with: globus-s3-frontend key add \(file)"
    case .notRegular(let file): "\(file) is not a regular file"
    case .notPrivate(let file, let mode):
      "\(file) can be used by others (mode \(String(mode, radix: 8))); run: chmod 600 \(file)"
    case .foreignOwner(let file): "\(file) belongs to another user"
    case .tooLarge(let file):
      "\(file) is larger than \(CredentialLimits.keyFileBytes) bytes: not a key file"
    case .empty(let file): "\(file) holds no key"
    case .malformed(let file, let line):
      "\(file), line \(line): expected an id of 8 hex digits, primary, accept or retired, "
        + "a time (RFC 3339) and 32 bytes in base64"
    case .duplicate(let file, let line): "\(file), line \(line): this id stands above already"
    case .twoPrimaries(let file, let line): "\(file), line \(line): a second primary key"
    case .noPrimary(let file):
      "\(file) has no primary key; choose one with: globus-s3-frontend key promote \(file) ID"
    case .unknownKey(let file, let id): "\(file) has no key \(id)"
    case .wrongState(let file, let id, let state, let needed):
      "key \(id) of \(file) is \(state.rawValue); it must be \(needed)"
    case .busy(let file): "\(file) is being changed by another process"
    case .system(let file, let operation, let code):
      "\(file): \(operation) failed: \(KeyringFile.message(of: code))"
    }
  }
}
