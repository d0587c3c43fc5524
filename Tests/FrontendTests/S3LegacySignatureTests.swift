import Crypto
import Testing

@testable import Frontend

/// Signature version 2. The secret and the first case are those of AWS's documentation ("Signing
/// and Authenticating REST Requests").
@Suite struct S3LegacySignatureTests {
  private let secret = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

  private func request(
    _ query: String = "", headers: [(String, String)] = [], bucket: String? = "johnsmith"
  ) throws -> (SignedRequest, SignatureV2) {
    let query = try Query(query)
    let headers = headers.map { (name: $0.0, value: $0.1) }
    guard case .version2(let signature) = try Authorization(headers: headers, query: query) else {
      throw CancellationError()
    }
    return (
      SignedRequest(
        method: "GET", path: "/photos/puppy.jpg", query: query, headers: headers,
        virtualBucket: bucket), signature
    )
  }

  @Test func awssPublishedExample() throws {
    let (request, signature) = try request(headers: [
      ("Host", "johnsmith.s3.amazonaws.com"), ("Date", "Tue, 27 Mar 2007 19:36:42 +0000"),
      ("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
    ])
    #expect(
      request.text(signature)
        == "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/johnsmith/photos/puppy.jpg")
    let code = HMACSHA1.authenticate(request.text(signature).utf8, key: secret.value.utf8)
    #expect(Hex.encode(code) == "6d6ab6b35584223f98763d2f43af7bce9f885cc5")
  }

  @Test func headersAndSubresourcesAreSigned() throws {
    let (request, signature) = try request(
      "prefix=x&versionId=null&response-expires=a%20b",
      headers: [
        ("X-Amz-Meta-B", "2"), ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 GMT"),
        ("X-Amz-Meta-B", "1"), ("Content-Type", "text/plain"), ("Date", "ignored"),
        ("Authorization", "AWS key:c2ln"),
      ], bucket: nil)
    #expect(
      request.text(signature)
        == "GET\n\ntext/plain\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 GMT\nx-amz-meta-b:2,1\n"
        + "/photos/puppy.jpg?response-expires=a b&versionId=null")
  }

  @Test(
    arguments: [
      (1_000, 999, nil), (1_000, 1_000, .past), (1_000_000, 1_000, .early),
    ] as [(Int64, Int64, SignatureFailure?)])
  func presignedURLsEnd(expires: Int64, now: Int64, failure: SignatureFailure?) throws {
    let unsigned = try request("AWSAccessKeyId=k&Signature=c2ln&Expires=\(expires)")
    let code = HMACSHA1.authenticate(unsigned.0.text(unsigned.1).utf8, key: secret.value.utf8)
    let text = PercentEncoding.component(base64(code))
    let (request, signature) = try request(
      "AWSAccessKeyId=k&Signature=\(text)&Expires=\(expires)")
    var found: SignatureFailure?
    do throws(SignatureFailure) {
      try request.verify(signature, secret: secret, now: now)
    } catch {
      found = error
    }
    #expect(found == failure)
    #expect(throws: SignatureFailure.mismatch) {
      try request.verify(signature, secret: Secret("another"), now: now)
    }
  }

  private func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let padded = Array(group) + Array(repeating: 0, count: 3 - group.count)
      let bits = padded.reduce(0) { $0 << 8 | Int($1) }
      for place in 0...3 {
        text.append(place <= group.count ? digits[bits >> (18 - 6 * place) & 63] : "=")
      }
    }
    return text
  }

  /// RFC 2202, cases 1, 2 and 6.
  @Test(
    arguments: [
      (Array(repeating: 0x0b, count: 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
      (
        Array("Jefe".utf8), "what do ya want for nothing?",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
      ),
      (
        Array(repeating: 0xaa, count: 80), "Test Using Larger Than Block-Size Key - Hash Key First",
        "aa4ae5e15272d00e95705637ce8a3b55ed402112"
      ),
    ] as [([UInt8], String, String)])
  func hmacSHA1(key: [UInt8], message: String, code: String) {
    #expect(Hex.encode(HMACSHA1.authenticate(message.utf8, key: key)) == code)
  }
}
