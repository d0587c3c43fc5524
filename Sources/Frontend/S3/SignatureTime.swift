// SignatureTime: when a request says that it was signed, in the forms that signers write.

struct SignatureTime: Sendable, Equatable {
  /// yyyymmddThhmmssZ, as it stands in the string to sign of version 4.
  let basic: String
  /// Unix seconds.
  let seconds: Int64

  /// Reads yyyymmddThhmmssZ only; nil for anything else.
  init?(basic: String) {
    guard let seconds = HTTPDate.parseBasic(basic) else { return nil }
    (self.basic, self.seconds) = (basic, seconds)
  }

  /// Reads yyyymmddThhmmssZ or the date of RFC 1123, whose zone is GMT, +0000 (AWS's examples,
  /// s3cmd) or -0000 (botocore); nil for anything else.
  init?(_ text: String) {
    if let basic = SignatureTime(basic: text) {
      self = basic
      return
    }
    let isNumeric = text.hasSuffix(" +0000") || text.hasSuffix(" -0000")
    guard let seconds = HTTPDate.parse(isNumeric ? text.dropLast(5) + "GMT" : text) else {
      return nil
    }
    self.seconds = seconds
    basic = HTTPDate.formatISO(seconds).prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
  }
}
