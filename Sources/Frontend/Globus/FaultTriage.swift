// FaultTriage: what a storage's error text means (globus.md 3.4).
//
// GridFTP's texts reach us as the body of a 404 of a collection's HTTPS server and inside the
// messages of Transfer's 502. The same status stands for "missing" and for "broken", so the text
// decides, and where it doesn't the answer is `ambiguous`, never "missing".

enum FaultTriage {
  enum Verdict: Equatable, Sendable {
    /// Globus wants another sign-in.
    case signIn
    /// No account on the storage: signing in again does not help.
    case noAccount
    case missing
    case denied
    case directory
    /// The storage is full.
    case full
    /// May be the storage's fault as well as a missing path.
    case ambiguous
  }

  static func verdict(_ text: some Swift.Collection<UInt8>) -> Verdict {
    let text = Array(text.prefix(GlobusLimits.faultBytes))
    let has = { (part: String) in text.contains(Array(part.utf8)) }
    if has("invalid_user#") || has("does not map to a valid username") { return .noAccount }
    if has("\"authorization_parameters\"") || has("LOGIN_DENIED") || has("session_required_") {
      return .signIn
    }
    if has("c=PATH_NOT_FOUND") || has("c=NOT_A_DIRECTORY") || hasErrno2(text)
      || has("No such file or directory")
    {
      return .missing
    }
    if has("PERMISSION_DENIED") || has("Permission denied") || has("Path not allowed") {
      return .denied
    }
    if has("IS_A_DIRECTORY") || has("Is a directory") { return .directory }
    if has("NO_SPACE_LEFT") || has("QUOTA_EXCEEDED") { return .full }
    return .ambiguous
  }

  /// ENOENT, and not 20 (ENOTDIR), 28 (ENOSPC) or the like.
  private static func hasErrno2(_ text: [UInt8]) -> Bool {
    text.ranges(of: Array("GridFTP-Errno: 2".utf8)).contains { range in
      range.upperBound == text.endIndex
        || !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[range.upperBound])
    }
  }
}
