// SpoolPart: one half of a record as bytes: CRC-32C, length, payload.
//
// Payload: fixed fields little-endian, then each text as a 16-bit length (0xFFFF: none) and its
// UTF-8. Writing allocates nothing and never passes the part's largest size; reading trusts
// nothing: a wrong checksum, length or code makes the part unreadable.

/// Where a part's fields go; text is cut at its limit.
struct PartWriter {
  static let headerBytes = 8

  private let start: UnsafeMutableRawPointer
  private var offset = PartWriter.headerBytes
  private(set) var isTruncated = false

  init(_ start: UnsafeMutableRawPointer) {
    self.start = start
  }

  mutating func append<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer) {
    start.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Integer.self)
    offset &+= MemoryLayout<Integer>.size
  }

  mutating func append(_ text: String?, limit: Int) {
    guard let text else { return append(UInt16.max) }
    let isWritten: Void? = text.utf8.withContiguousStorageIfAvailable { append($0, limit: limit) }
    if isWritten == nil {
      var copy = text
      copy.withUTF8 { append($0, limit: limit) }
    }
  }

  private mutating func append(_ utf8: UnsafeBufferPointer<UInt8>, limit: Int) {
    var count = utf8.count
    let isTooLong = count > limit
    if isTooLong {
      count = limit &- 3
      while count > 0, utf8[count] & 0xC0 == 0x80 { count &-= 1 }
      isTruncated = true
    }
    append(UInt16(truncatingIfNeeded: isTooLong ? count &+ 3 : count))
    if let base = utf8.baseAddress {
      start.advanced(by: offset).copyMemory(from: base, byteCount: count)
      offset &+= count
    }
    if isTooLong {
      append(UInt8(0xE2))
      append(UInt8(0x80))
      append(UInt8(0xA6))
    }
  }

  /// Writes flag, length and checksum; returns the part's size.
  func finish(_ checksum: Checksum) -> Int {
    start.storeBytes(of: isTruncated ? 1 : 0, toByteOffset: Self.headerBytes, as: UInt8.self)
    let count = offset &- Self.headerBytes
    start.storeBytes(of: UInt32(truncatingIfNeeded: count), toByteOffset: 4, as: UInt32.self)
    let crc = checksum(UnsafeRawPointer(start) + Self.headerBytes, count: count)
    start.storeBytes(of: crc, as: UInt32.self)
    return offset
  }
}

/// Reads a part's fields in the order of their writing; nil or false once anything is wrong.
struct PartReader {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  /// nil if no whole part with the right checksum begins at the start of `slot`.
  init?(_ slot: UnsafeRawBufferPointer, _ checksum: Checksum) {
    guard slot.count > PartWriter.headerBytes, let base = slot.baseAddress else { return nil }
    let crc = base.loadUnaligned(as: UInt32.self)
    let count = Int(base.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard count > 0, count <= slot.count - PartWriter.headerBytes else { return nil }
    let payload = base + PartWriter.headerBytes
    guard checksum(payload, count: count) == crc else { return nil }
    bytes = UnsafeRawBufferPointer(start: payload, count: count)
  }

  mutating func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ type: Integer.Type = Integer.self
  ) -> Integer? {
    let end = offset + MemoryLayout<Integer>.size
    guard end <= bytes.count else { return nil }
    defer { offset = end }
    return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self))
  }

  /// The outer nil: unreadable. The inner one: no text.
  mutating func text() -> String?? {
    guard let length = integer(UInt16.self) else { return nil }
    if length == .max { return .some(nil) }
    let end = offset + Int(length)
    guard end <= bytes.count else { return nil }
    defer { offset = end }
    return String(decoding: bytes[offset..<end], as: UTF8.self)
  }
}

extension Intent {
  /// The longest part that an intent makes.
  static let largestPart =
    PartWriter.headerBytes + 1 + 2 * 8 + 2 + 13 * 2
    + Limits.method + Limits.operation + 2 * Limits.address + Limits.userAgent + Limits.host
    + Limits.collectionID + Limits.objectKey + Limits.range + Limits.identityID + Limits.username
    + Limits.credential

  /// Writes the intent at `start`, returns its size.
  func write(_ start: UnsafeMutableRawPointer, _ checksum: Checksum) -> Int {
    var part = PartWriter(start)
    part.append(UInt8(0))
    part.append(requestID.value)
    part.append(startMicroseconds)
    part.append(auth.rawValue)
    part.append(authResult.rawValue)
    part.append(method, limit: Limits.method)
    part.append(operation, limit: Limits.operation)
    part.append(remoteIP, limit: Limits.address)
    part.append(peerIP, limit: Limits.address)
    part.append(userAgent, limit: Limits.userAgent)
    part.append(host, limit: Limits.host)
    part.append(collectionID, limit: Limits.collectionID)
    part.append(objectKey, limit: Limits.objectKey)
    part.append(range, limit: Limits.range)
    part.append(identityID, limit: Limits.identityID)
    part.append(username, limit: Limits.username)
    part.append(credentialFingerprint, limit: Limits.credential)
    return part.finish(checksum)
  }

  /// The intent at the start of `slot`; nil if it is unreadable.
  static func read(
    _ slot: UnsafeRawBufferPointer, _ checksum: Checksum
  ) -> (intent: Intent, isTruncated: Bool)? {
    guard var part = PartReader(slot, checksum),
      let flag = part.integer(UInt8.self), let id = part.integer(Int64.self), id >= 0,
      let start = part.integer(Int64.self),
      let auth = part.integer().flatMap(Authentication.init(rawValue:)),
      let authResult = part.integer().flatMap(AuthenticationResult.init(rawValue:)),
      let method = part.text(), let operation = part.text(), let remoteIP = part.text(),
      let peerIP = part.text(), let userAgent = part.text(), let host = part.text(),
      let collectionID = part.text(), let objectKey = part.text(), let range = part.text(),
      let identityID = part.text(), let username = part.text(), let credential = part.text()
    else { return nil }
    var intent = Intent(
      requestID: RequestID(value: id), startMicroseconds: start, method: method ?? "",
      operation: operation ?? "", remoteIP: remoteIP ?? "", peerIP: peerIP ?? "",
      userAgent: userAgent ?? "")
    intent.auth = auth
    intent.authResult = authResult
    intent.host = host
    intent.collectionID = collectionID
    intent.objectKey = objectKey
    intent.range = range
    intent.identityID = identityID
    intent.username = username
    intent.credentialFingerprint = credential
    return (intent, flag != 0)
  }
}

extension Completion {
  /// The longest part that a completion makes.
  static let largestPart =
    PartWriter.headerBytes + 1 + 6 * 8 + 3 * 4 + 3 + (6 + Limits.collections) * 2
    + Limits.errorCode + Limits.errorDetail + Limits.upstreamHost + Limits.identityID
    + Limits.username + Limits.credential + Limits.collections * Limits.collectionID

  /// Stands for "none" where a count or a status can't be negative.
  private static let none = -1

  /// Writes the completion of request `id` at `start`, returns its size.
  func write(
    _ start: UnsafeMutableRawPointer, of id: RequestID, _ checksum: Checksum
  ) -> Int {
    var part = PartWriter(start)
    part.append(UInt8(0))
    part.append(id.value)
    part.append(bytesIn)
    part.append(bytesOut)
    part.append(durationMicroseconds)
    part.append(timeToFirstByteMicroseconds ?? Int64(Self.none))
    part.append(objectSize ?? Int64(Self.none))
    part.append(Int32(clamping: status ?? Self.none))
    part.append(Int32(clamping: upstreamStatus ?? Self.none))
    part.append(Int32(clamping: upstreamCalls))
    part.append(outcome.rawValue)
    part.append(authResult?.rawValue ?? UInt8.max)
    part.append(errorCode, limit: Limits.errorCode)
    part.append(errorDetail, limit: Limits.errorDetail)
    part.append(upstreamHost, limit: Limits.upstreamHost)
    part.append(identityID, limit: Limits.identityID)
    part.append(username, limit: Limits.username)
    part.append(credentialFingerprint, limit: Limits.credential)
    part.append(UInt8(min(collectionIDs.count, Limits.collections)))
    for index in 0..<min(collectionIDs.count, Limits.collections) {
      part.append(collectionIDs[index], limit: Limits.collectionID)
    }
    return part.finish(checksum)
  }

  /// The completion of request `id` at the start of `slot`; nil if it is unreadable or another's.
  static func read(
    _ slot: UnsafeRawBufferPointer, of id: RequestID, _ checksum: Checksum
  ) -> (completion: Completion, isTruncated: Bool)? {
    guard var part = PartReader(slot, checksum),
      let flag = part.integer(UInt8.self), part.integer(Int64.self) == id.value,
      let bytesIn = part.integer(Int64.self), let bytesOut = part.integer(Int64.self),
      let duration = part.integer(Int64.self), let firstByte = part.integer(Int64.self),
      let objectSize = part.integer(Int64.self), let status = part.integer(Int32.self),
      let upstreamStatus = part.integer(Int32.self), let upstreamCalls = part.integer(Int32.self),
      let outcome = part.integer().flatMap(Outcome.init(rawValue:)),
      let authResult = part.integer(UInt8.self),
      let errorCode = part.text(), let errorDetail = part.text(), let upstreamHost = part.text(),
      let identityID = part.text(), let username = part.text(), let credential = part.text(),
      let collections = part.integer(UInt8.self)
    else { return nil }
    var completion = Completion(
      outcome: outcome, status: status < 0 ? nil : Int(status), durationMicroseconds: duration)
    completion.bytesIn = bytesIn
    completion.bytesOut = bytesOut
    completion.timeToFirstByteMicroseconds = firstByte < 0 ? nil : firstByte
    completion.objectSize = objectSize < 0 ? nil : objectSize
    completion.upstreamStatus = upstreamStatus < 0 ? nil : Int(upstreamStatus)
    completion.upstreamCalls = Int(upstreamCalls)
    completion.authResult = AuthenticationResult(rawValue: authResult)
    completion.errorCode = errorCode
    completion.errorDetail = errorDetail
    completion.upstreamHost = upstreamHost
    completion.identityID = identityID
    completion.username = username
    completion.credentialFingerprint = credential
    for _ in 0..<collections {
      guard let text = part.text(), let collection = text else { return nil }
      completion.collectionIDs.append(collection)
    }
    return (completion, flag != 0)
  }
}
