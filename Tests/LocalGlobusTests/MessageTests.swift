// Encodings of requests and answers.

import Testing

@testable import LocalGlobus

@Suite struct MessageTests {
  @Test func queriesKeepOrderAndRepetition() {
    let request = Request("GET", "/p%20q?a=1&b=x+y%2Bz&a=%C3%A9&c&d=1=2")
    #expect(request.path == "/p%20q")
    #expect(request.query.values(of: "a") == ["1", "é"])
    #expect(request.query["b"] == "x y+z")
    #expect(request.query["c"] == "")
    #expect(request.query["d"] == "1=2")
    #expect(request.query["e"] == nil)
  }

  @Test(arguments: [
    ("%41%zz%4", "A%zz%4"), ("%+1%-1", "%+1%-1"), ("100%", "100%"), ("%e2%82%ac", "€"),
  ])
  func escapesThatAreNoneStay(_ text: String, _ decoded: String) {
    #expect(String(decoding: Percent.decode(text.utf8), as: UTF8.self) == decoded)
  }

  @Test func everythingReservedIsEscaped() {
    #expect(Percent.encode("aZ09-._~ /&=+é\n") == "aZ09-._~%20%2F%26%3D%2B%C3%A9%0A")
    #expect("http://h/?x".addingQuery(["a": "b&c"]) == "http://h/?x&a=b%26c")
    #expect("http://h/".addingQuery(["a": "1", "b": "2"]) == "http://h/?a=1&b=2")
  }

  @Test func credentials() {
    let basic = Request("POST", "/", headers: [("authorization", "basic dXNlcjpwYTpzcw==")])
    #expect(basic.basicCredentials?.user == "user")
    #expect(basic.basicCredentials?.password == "pa:ss")
    #expect(basic.bearerToken == nil)
    #expect(Request("GET", "/", headers: [("Authorization", "Bearer  t")]).bearerToken == "t")
    #expect(Request("GET", "/", headers: [("Authorization", "Bearer")]).bearerToken == nil)
    #expect(Request("GET", "/", headers: [("Authorization", "Basic !")]).basicCredentials == nil)
  }

  @Test func pagesCannotBeWrittenInto() {
    #expect("<a href=\"'&\">".htmlEscaped == "&lt;a href=&quot;&#39;&amp;&quot;&gt;")
  }

  @Test func jsonWritesNullsAndSortsNames() {
    let json: JSON = ["b": nil, "a": [1, true, "x/\"\n"]]
    #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"a":[1,true,"x/\"\n"],"b":null}"#)
  }
}
