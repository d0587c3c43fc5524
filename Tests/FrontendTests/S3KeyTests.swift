import Testing

@testable import Frontend

@Suite struct S3KeyTests {
  @Test(arguments: [
    ("a", "a", "/a"), ("a%2Fb", "a/b", "/a/b"), ("a+b%2B", "a+b+", "/a+b+"),
    ("%252e%252e/x", "%2e%2e/x", "/%2e%2e/x"), ("~/x", "~/x", "/~/x"), ("dir/", "dir/", "/dir"),
    ("...", "...", "/..."), (".hidden/..x", ".hidden/..x", "/.hidden/..x"),
    ("a%5Cb;c..;/d", "a\\b;c..;/d", "/a\\b;c..;/d"), ("q%3Fr%23s", "q?r#s", "/q?r#s"),
    ("%E2%82%AC", "€", "/€"),
  ])
  func decodesOnce(_ encoded: String, _ text: String, _ path: String) throws {
    let key = try ObjectKey(encoded: encoded)
    #expect(key.description == text && key.path == path)
    #expect(key.isFolder == text.hasSuffix("/"))
  }

  /// U+0600 makes one Character with a "/" behind it, U+0301 with one before.
  @Test(arguments: [
    ("a%D8%80/", "/a\u{600}"), ("%CC%81a/%CC%81b", "/\u{301}a/\u{301}b"),
    ("%CC%81/", "/\u{301}"),
  ])
  func aSlashIsAByte(_ encoded: String, _ path: String) throws {
    let key = try ObjectKey(encoded: encoded)
    #expect(Array(key.path.utf8) == Array(path.utf8))
    #expect(key.isFolder == (encoded.utf8.last == UInt8(ascii: "/")))
  }

  @Test func keepsTheBytesOfTwins() throws {
    let composed = try ObjectKey(encoded: "%C3%A9").path
    let decomposed = try ObjectKey(encoded: "e%CC%81").path
    #expect(Array(composed.utf8) == [0x2f, 0xc3, 0xa9])
    #expect(Array(decomposed.utf8) == [0x2f, 0x65, 0xcc, 0x81])
    #expect(try etag(path: composed) != etag(path: decomposed))
  }

  @Test(arguments: [
    ".", "..", "a/../b", "a/./b", "%2e%2e/x", ".%2e/x", "..%2fx", "a/..", "a/.", "./", "a//b",
    "/a", "a//", "/", "%2Fa", "%00", "a%00b", "a%0d%0ab", "a%1bb", "%7f", "%C2%85", "%c0%ae",
    "%ed%a0%80", "%80", "%f4%90%80%80", "%", "a%4", "%zz", "a%+1",
  ])
  func refuses(_ encoded: String) {
    #expect(code { () throws(S3Error) in _ = try ObjectKey(encoded: encoded) } == .invalidURI)
  }

  @Test func longKeys() throws {
    let longest = String(repeating: "%61", count: Limits.keyBytes)
    #expect(try ObjectKey(encoded: longest).description.utf8.count == Limits.keyBytes)
    #expect(
      code { () throws(S3Error) in _ = try ObjectKey(encoded: longest + "a") } == .keyTooLong)
    let euros = String(repeating: "€", count: 342)
    #expect(code { () throws(S3Error) in _ = try ObjectKey(encoded: euros) } == .keyTooLong)
  }

  @Test(arguments: [
    ("a/b.txt", "text/plain"), ("x.tar.GZ", "application/gzip"), ("d.h5", "application/x-hdf5"),
    ("a.nc", "application/netcdf"), ("p.parquet", "application/vnd.apache.parquet"),
    ("noextension", "binary/octet-stream"), (".txt", "binary/octet-stream"),
    ("a.b/c", "binary/octet-stream"), ("a.", "binary/octet-stream"),
    ("zarr.json", "application/json"), ("a.constructor", "binary/octet-stream"),
  ])
  func contentTypes(_ key: String, _ type: String) throws {
    #expect(ContentType.of(try ObjectKey(encoded: key).fileExtension) == type)
  }

  private func etag(
    _ id: String = "6d8f2e3a-1b2c-4d5e-8f90-a1b2c3d4e5f6", path: String = "/a", size: UInt64 = 1,
    modified: Int64 = 2
  ) throws -> String {
    let id = try #require(CollectionID(id))
    return ETag(collection: id, path: path, size: size, modified: modified).description
  }

  @Test func etagsAreStableAndNeverAnMD5() throws {
    let one = try etag()
    let parts = one.dropFirst().dropLast().split(separator: "-")
    #expect(one.hasPrefix("\"") && one.hasSuffix("-1\""))
    #expect(parts.count == 2 && parts[0].count == 32)
    #expect(try etag() == one)
    #expect(try etag("6d8f2e3a-1b2c-4d5e-8f90-a1b2c3d4e5f7") != one)
    #expect(try etag(path: "/b") != one)
    #expect(try etag(size: 2) != one)
    #expect(try etag(modified: 3) != one)
  }
}
