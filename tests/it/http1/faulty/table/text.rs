//! The cases that fit in a line: a name, and what is said after the part that its table is about.
//! `\r`, `\n`, `\t`, `\0` and `\xHH` stand for themselves.

/// Before `\r\n\r\nok`: how long the body is, told in a way that nobody may trust.
pub(super) const LENGTHS: &str = r"
lengths differ               | Content-Length: 2\r\nContent-Length: 3
lengths differ, longer first | Content-Length: 3\r\nContent-Length: 2
lengths differ in a list     | Content-Length: 2, 3
length with a sign           | Content-Length: +2
length below nothing         | Content-Length: -2
length in hexadecimal        | Content-Length: 0x2
length with a fraction       | Content-Length: 2.0
length of two words          | Content-Length: 2 2
length empty                 | Content-Length:
length half empty            | Content-Length: 2,
length beyond 64 bits        | Content-Length: 18446744073709551618
length in other digits       | Content-Length: \xd9\xa2
length after a space         | Content-Length : 2
length and coding            | Content-Length: 2\r\nTransfer-Encoding: chunked
coding and length            | Transfer-Encoding: chunked\r\nContent-Length: 2
coding twice                 | Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked
coding chunked twice         | Transfer-Encoding: chunked, chunked
coding compressed            | Transfer-Encoding: gzip, chunked
coding compressed apart      | Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked
coding chunked not last      | Transfer-Encoding: chunked, gzip
coding identity              | Transfer-Encoding: identity
coding unknown               | Transfer-Encoding: xchunked
coding quoted                | Transfer-Encoding: \x22chunked\x22
coding with a parameter      | Transfer-Encoding: chunked;q=1
coding empty                 | Transfer-Encoding:
";

/// After the head of a chunked response.
pub(super) const CHUNKS: &str = r"
chunk size missing            | \r\nok\r\n0\r\n\r\n
chunk size no number          | two\r\nok\r\n0\r\n\r\n
chunk size with a prefix      | 0x2\r\nok\r\n0\r\n\r\n
chunk size with a sign        | +2\r\nok\r\n0\r\n\r\n
chunk size below nothing      | -2\r\nok\r\n0\r\n\r\n
chunk size after a space      | \x202\r\nok\r\n0\r\n\r\n
chunk size of two words       | 2 2\r\nok\r\n0\r\n\r\n
chunk size beyond 64 bits     | 10000000000000002\r\nok\r\n0\r\n\r\n
chunk line ends bare          | 2\nok\r\n0\r\n\r\n
chunk line with a bare CR     | 2\rok\r\n0\r\n\r\n
chunk extension with a LF     | 2;a\nok\r\n0\r\n\r\n
chunk longer than its size    | 2\r\nokay\r\n0\r\n\r\n
chunk shorter than its size   | 4\r\nok\r\n0\r\n\r\n
chunk without an end          | 2\r\nok0\r\n\r\n
trailer without a colon       | 0\r\nnonsense\r\n\r\n
";

/// The same, and then the connection ends.
pub(super) const CUT_CHUNKS: &str = r"
chunk cut                     | 5\r\nok
chunks cut before the last    | 2\r\nok\r\n
chunks cut in the last        | 2\r\nok\r\n0\r\n
chunks cut in a size          | 2\r\nok\r\n1
trailers cut                  | 0\r\na: b\r\n
";

/// Before `\r\nContent-Length: 2\r\n\r\nok`.
pub(super) const FIELDS: &str = r"
field folded                   | X: a\r\n b
field folded by a tab          | X: a\r\n\tb
first field folded             | \x20X: a
field with a space at its name | X : a
field without a colon          | nonsense
field without a name           | : a
field name of two words        | X Y: a
field name not ASCII           | X\xc3\xa9: a
field with a NUL               | X: a\0b
field with a bare CR           | X: a\rb
field with a bell              | X: a\x07b
";

/// Before `\r\nContent-Length: 2\r\n\r\nok`, in place of a status line.
pub(super) const STATUS: &str = r"
HTTP/2 in words          | HTTP/2.0 200 OK
HTTP/2 in short          | HTTP/2 200 OK
HTTP/1.2                 | HTTP/1.2 200 OK
HTTP/3                   | HTTP/3.1 200 OK
version in small letters | http/1.1 200 OK
a name that begins alike | HTTPS/1.1 200 OK
status of two digits     | HTTP/1.1 20 OK
status of four digits    | HTTP/1.1 2000 OK
status no number         | HTTP/1.1 2x0 OK
status below 100         | HTTP/1.1 099 OK
status missing           | HTTP/1.1 OK
status after two spaces  | HTTP/1.1  200 OK
status line with a NUL   | HTTP/1.1 200 O\0K
status line folded       | HTTP/1.1 200\r\n OK
empty line first         | \r\nHTTP/1.1 200 OK
space first              | \x20HTTP/1.1 200 OK
a mark first             | \xef\xbb\xbfHTTP/1.1 200 OK
a switch not asked for   | HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade
another protocol         | SSH-2.0-OpenSSH_9.2
HTTP/2 frames            | \0\0\0\x04\0\0\0\0\0
TLS alert                | \x15\x03\x03\0\x02\x02\x28
HTTP/0.9                 | <html>ok</html>
";

/// A response that is cut, and then the connection ends.
pub(super) const CUT: &str = r"
body cut                        | HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok
body missing                    | HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n
head cut in the status          | HTTP/1.1 2
head cut in a field             | HTTP/1.1 200 OK\r\nContent-Le
head cut before its end         | HTTP/1.1 200 OK\r\nContent-Length: 2\r\n
head cut after an interim one   | HTTP/1.1 100 Continue\r\n\r\n
";

/// A response that comes to no end in time.
pub(super) const LATE: &str = r"
no answer                 |
no end of the head        | HTTP/1.1 200 OK\r\nX: y\r\n
interim responses only    | HTTP/1.1 102 Processing\r\n\r\n
no body                   | HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n
no end of the body        | HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok
no end of the connection  | HTTP/1.1 200 OK\r\n\r\nok
no end of the chunks      | HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n
no end of the trailers    | HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n
";

/// After a response whose body is `ok`: what nobody asked for.
pub(super) const SURPLUS: &str = r"
surplus of one byte         | x
surplus of an empty line    | \r\n
surplus of a whole response | HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno
";

/// Responses without a body, and one all the same.
pub(super) const BODIES: &str = r"
204 with a body             | HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nno
304 with a body             | HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nno
a body of nothing, and more | HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nno
";

/// The same in answer to HEAD.
pub(super) const HEADLESS: &str = r"
HEAD with a body            | HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno
HEAD with chunks            | HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n
";
