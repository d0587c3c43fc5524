// Key material that is overwritten when its last holder lets go and that no description shows.

internal import COpenSSL

/// Bytes of a key: immutable, shared by reference, overwritten when released, never printed.
public struct SecretBytes: Sendable {
  private let storage: Storage

  /// Copies `bytes`; the caller overwrites its own copy with `cleanse`.
  public init(_ bytes: some Sequence<UInt8>) {
    storage = bytes.withBytes { bytes in
      Storage(count: bytes.count) { $0.copyMemory(from: UnsafeRawBufferPointer(bytes)) }
    }
  }

  /// `count` bytes, written by `fill` before anyone else sees them.
  public init(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    storage = Storage(count: count, fill: fill)
  }

  /// Length in bytes.
  public var count: Int { storage.bytes.count }

  /// The bytes, valid inside `body` only.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withExtendedLifetime(storage) { body(storage.bytes) }
  }

  /// Immutable after `init`, hence safe to share between threads.
  private final class Storage: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    private let memory: UnsafeMutableRawBufferPointer

    init(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
      memory = .allocate(byteCount: count, alignment: 16)
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      fill(memory)
      bytes = UnsafeRawBufferPointer(memory)
    }

    deinit {
      cleanse(memory)
      memory.deallocate()
    }
  }
}

extension SecretBytes: Equatable {
  /// In time that does not depend on where the two differ.
  public static func == (left: SecretBytes, right: SecretBytes) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { constantTimeEqual(left, $0) } }
  }
}

extension SecretBytes: CustomStringConvertible, CustomReflectable {
  public var description: String { "<secret>" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Overwrites `bytes` in a way that the optimiser may not drop (`OPENSSL_cleanse`).
public func cleanse(_ bytes: inout [UInt8]) {
  bytes.withUnsafeMutableBytes { cleanse($0) }
}

/// Overwrites the memory in a way that the optimiser may not drop (`OPENSSL_cleanse`).
public func cleanse(_ memory: UnsafeMutableRawBufferPointer) {
  OPENSSL_cleanse(memory.baseAddress, memory.count)
}

/// Whether both hold the same bytes, in time that depends on their lengths only (`CRYPTO_memcmp`).
public func constantTimeEqual(
  _ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>
) -> Bool {
  left.withBytes { left in
    right.withBytes { right in
      left.count == right.count
        && CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
    }
  }
}
