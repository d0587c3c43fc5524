/// Every limit of this module.
enum Limits {
  /// RFC 5869 section 2.3: 255 blocks of the hash.
  static let hkdfOutputBytes = 255 * 32
  /// Far above any credential or cookie and far below GCM's own 64 GiB.
  static let aeadMessageBytes = 16 << 20
  /// A day to ten years: what an issued certificate may live.
  static let certificateDays = 1...3650
  /// Names and addresses in one certificate.
  static let certificateNames = 1...64
  /// RFC 1035 section 2.3.4.
  static let hostNameBytes = 253
}
