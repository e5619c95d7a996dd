// The safetensors reader and writer: the bytes of a small file, what is legal, and files that are cut, altered or made by hand.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "tests/data_fixtures.h"
#include "train/exchange/safetensors.h"
#include "train/files/crc32c.h"
#include "train/io/printable.h"

using namespace hv;
using namespace hv::train;
using fixtures::Caught;
using fixtures::TempDir;

namespace {

std::string with_length(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

template <class Number>
std::string bytes_of(const std::vector<Number>& values) {
  return {reinterpret_cast<const char*>(values.data()), sizeof(Number) * values.size()};
}

std::string read_text(const std::string& path) {
  const std::vector<uint8_t> bytes = fixtures::read_bytes(path);
  return {bytes.begin(), bytes.end()};
}

TensorToWrite floats(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  return {name, "F32", shape, [values](const Put& put) {
            for (const float& value : values) put(&value, sizeof value);  // in small pieces
          }};
}

bool everything(const std::string&) { return true; }

// The error of reading header and data; one line that begins with the path, exit code 3. "" where the file is fine.
std::string refusal(const std::string& path, const std::string& bytes) {
  fixtures::write_text(path, bytes);
  const Caught caught = fixtures::error_of([&] { read_safetensors_header(path); });
  if (caught.code == 0) return "";
  REQUIRE(caught.code == 3);
  REQUIRE(caught.text.find(path + ": ") == 0);
  REQUIRE(caught.text.find('\n') == std::string::npos);
  REQUIRE(caught.text.size() < path.size() + 300);
  CHECK(fixtures::error_of([&] { load_safetensors(path, everything); }).text == caught.text);
  return caught.text.substr(path.size() + 2);
}

long peak_rss_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

constexpr const char* kTwo = R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[],"data_offsets":[8,12]}})";

}  // namespace

TEST_CASE("safetensors: the bytes that are written, and read back") {
  const TempDir folder;
  const std::string path = folder / "a.safetensors";
  write_safetensors(path, {{"z", "1"}, {"k", "line\nline \"x\""}},
                    {floats("b", {2, 1}, {1, -2}),
                     floats("a", {}, {3}),
                     {"c",
                      "I64",
                      {1},
                      [](const Put& put) {
                        const int64_t n = -5;
                        put(&n, 8);
                      }},
                     floats("empty", {0, 3}, {}),
                     {"u", "U8", {3}, [](const Put& put) { put("xyz", 3); }}});
  const std::string data = bytes_of<int64_t>({-5}) + bytes_of<float>({3, 1, -2}) + "xyz";
  const auto text = [](const std::string& s) { return with_length(s, ""); };
  const auto numbers = [](const std::vector<int64_t>& n) { return bytes_of(n); };
  const std::string checked = text("k") + text("line\nline \"x\"") + text("z") + text("1") +  //
                              text("a") + text("F32") + numbers({0, 8, 12}) +                 // rank, sizes, begin, end
                              text("b") + text("F32") + numbers({2, 2, 1, 12, 20}) +          //
                              text("c") + text("I64") + numbers({1, 1, 0, 8}) +               //
                              text("empty") + text("F32") + numbers({2, 0, 3, 20, 20}) +      //
                              text("u") + text("U8") + numbers({1, 3, 20, 23}) + data;
  char crc[9];
  std::snprintf(crc, sizeof crc, "%08x", crc32c(checked.data(), checked.size()));
  std::string header =
      concat(R"({"__metadata__":{"crc32c":")", crc, R"(","k":"line\nline \"x\"","z":"1"},)") +
      R"("c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]},)"
      R"("empty":{"dtype":"F32","shape":[0,3],"data_offsets":[20,20]},"u":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(read_text(path) == with_length(header, data));

  const SafetensorsHeader read = read_safetensors_header(path);
  CHECK(read.metadata == Metadata{{"z", "1"}, {"k", "line\nline \"x\""}, {"crc32c", crc}});
  REQUIRE(read.tensors.size() == 5);
  CHECK(read.tensors[2].name == "b");
  CHECK(read.tensors[2].shape == Shape{2, 1});
  CHECK(read.tensors[4].dtype == "U8");
  const std::vector<NamedTensor> loaded =
      load_safetensors(path, [](const std::string& name) { return name == "b" || name == "empty"; });
  REQUIRE(loaded.size() == 2);
  CHECK(loaded[0].value.to_vector() == std::vector<double>{1, -2});
  CHECK(loaded[1].value.shape() == Shape{0, 3});
  CHECK_THROWS_WITH_AS(load_safetensors(path, everything),
                       doctest::Contains("tensor \"c\" has dtype I64; F32, F64, F16 and BF16 can be read"), Error);
  CHECK(looks_like_safetensors(path));

  CHECK_THROWS_WITH_AS(write_safetensors(path, {}, {floats("a", {3}, {1})}),
                       doctest::Contains("tensor a wrote -8 bytes too many"), Error);
  CHECK(read_safetensors_header(path).tensors.size() == 5);  // what was there stays
}

TEST_CASE("safetensors: half, brain, double precision") {
  const TempDir folder;
  const std::string path = folder / "a";
  std::vector<uint16_t> patterns(65536);
  for (size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<uint16_t>(i);
  const auto put_all = [&](const Put& put) { put(patterns.data(), 2 * patterns.size()); };
  const auto put_real = [](const Put& put) {
    const double x[] = {0.1, -1e300};
    put(x, sizeof x);
  };
  write_safetensors(path, {},
                    {{"half", "F16", {65536}, put_all}, {"brain", "BF16", {65536}, put_all}, {"real", "F64", {2}, put_real}});
  std::map<std::string, Tensor> read;
  for (const NamedTensor& tensor : load_safetensors(path, everything)) read[tensor.name] = tensor.value;
  CHECK(read["real"].data()[0] == 0.1F);
  CHECK(read["real"].data()[1] == -INFINITY);
  size_t wrong = 0;
  for (size_t i = 0; i < 65536; ++i) {  // by the definition of the formats
    const int exponent = static_cast<int>(i >> 10 & 31), mantissa = static_cast<int>(i & 1023);
    double half = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31) half = mantissa ? NAN : INFINITY;
    if (i >> 15) half = -half;
    const float found = read["half"].data()[i];
    wrong += std::isnan(half) ? !std::isnan(found) : found != half || std::signbit(found) != std::signbit(half);
    wrong += std::bit_cast<uint32_t>(static_cast<float>(read["brain"].data()[i])) != static_cast<uint32_t>(i) << 16;
  }
  CHECK(wrong == 0);
}

TEST_CASE("safetensors: what is odd and legal") {
  const TempDir folder;
  const std::string path = folder / "a";
  const std::string eight(8, '\0'), twelve(12, '\0');
  CHECK(refusal(path, with_length(kTwo, twelve)) == "");
  CHECK(refusal(path, with_length("{}", "")) == "");
  CHECK(refusal(path, with_length("{}     ", "")) == "");
  CHECK(refusal(path, with_length(R"({"__metadata__":null})", "")) == "");  // as the reference library reads it
  CHECK(read_safetensors_header(path).metadata.empty());
  CHECK(refusal(path, with_length(R"({"__metadata__":null,"b":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", "x")) == "");
  CHECK(refusal(path, with_length(R"({"b":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"}})", eight)) == "");
  CHECK(refusal(path, with_length(R"({"n":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                                  bytes_of<float>({NAN, INFINITY}))) == "");
  CHECK(refusal(path, with_length(R"({"z":{"dtype":"F64","shape":[0],"data_offsets":[0,0]},)"
                                  R"("a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]},)"
                                  R"("y":{"dtype":"F4","shape":[0,7],"data_offsets":[8,8]}})",
                                  eight)) == "");
  CHECK(refusal(path, with_length(R"({"six":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}})", "abc")) == "");
  CHECK(refusal(path, with_length("{\"\xC3\xA4\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", "x")) == "");
  CHECK(printable("a\nb\x7F"
                  "c\xC2\x9B"
                  "d\xC3\xA4") == "a b c d\xC3\xA4");
}

TEST_CASE("safetensors: hostile headers") {
  const TempDir folder;
  const std::string path = folder / "a";
  const auto entry = [](const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
    return concat("{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":", offsets, "}");
  };
  const auto one = [&](const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
    return refusal(path, with_length("{\"w\":" + entry(shape, offsets, dtype) + "}", std::string(12, '\0')));
  };
  const auto text = [&](const std::string& header, size_t data = 12) {
    return refusal(path, with_length(header, std::string(data, '\0')));
  };
  const std::string head = "damaged safetensors header: ";
  [[maybe_unused]] const long before = peak_rss_kib();

  // the length
  CHECK(refusal(path, "") == "0 bytes are too few for a safetensors file");
  CHECK(refusal(path, bytes_of<uint64_t>({~uint64_t{0}}) + "{}") ==
        "not a safetensors file: a header of 18446744073709551615 bytes; at most 100000000");
  CHECK(refusal(path, bytes_of<uint64_t>({uint64_t{1} << 63}) + "{}").find("not a safetensors file: a header of") == 0);
  CHECK(refusal(path, bytes_of<uint64_t>({100'000'000}) + "{}") ==
        "a header of 100000000 bytes in a file of 10; the file was cut");
  CHECK(refusal(path, bytes_of<uint64_t>({0}) + "{}") == "not a safetensors file: its header does not begin with {");
  CHECK(text("[1]") == "not a safetensors file: its header does not begin with {");
  CHECK(text(" {}") == "not a safetensors file: its header does not begin with {");
  // JSON
  CHECK(text("{\"a\":") == "damaged safetensors header: no valid JSON at byte 6");
  CHECK(text("{}x") == "damaged safetensors header: no valid JSON at byte 3");
  CHECK(text("{}{}") == "damaged safetensors header: no valid JSON at byte 3");
  CHECK(text("{\"\xFF\":1}").find("no valid JSON at byte") != std::string::npos);
  CHECK(text("{\"\xED\xA0\x80\":1}").find("no valid JSON at byte") != std::string::npos);  // a surrogate is no UTF-8
  CHECK(text("{\"a\nb\":1}").find("no valid JSON at byte") != std::string::npos);
  CHECK(text(std::string("{\0}", 3)).find("no valid JSON at byte") != std::string::npos);
  // A NUL ends no header: what follows it must not be ignored, nor other padding than spaces.
  const std::string whole = "{\"w\":" + entry("[3]", "[0,12]") + "}";
  CHECK(text(whole + "  ") == "");
  CHECK(text(whole + std::string("\0garbage", 8)) == concat(head.substr(0, head.size() - 2), ": no valid JSON at byte 56"));
  CHECK(text(whole + std::string(5, '\0')).find("no valid JSON at byte 56") != std::string::npos);
  CHECK(text(whole + " \n") == head + "byte 57: only spaces may follow the last }");
  // form
  CHECK(text("{\"w\":[]}") == head + "tensor \"w\": a list where there must be none");
  CHECK(text("{\"w\":{\"shape\":null}}") == head + "tensor \"w\": null where there must be none");
  CHECK(text("{\"w\":null}") == head + "tensor \"w\": null where there must be none");
  CHECK(text("{\"w\":7}") == head + "tensor \"w\": a number where there must be none");
  CHECK(text("{\"w\":{}}") == head + "tensor \"w\" lacks \"dtype\"");
  CHECK(text("{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}") == head + "tensor \"w\" lacks \"data_offsets\"");
  CHECK(text("{\"w\":{\"dtype\":\"F32\",\"shape\":[],\"more\":1}}") == head + "tensor \"w\": unknown entry \"more\"");
  CHECK(text("{\"w\":{\"dtype\":1}}") == head + "tensor \"w\": a number where there must be none");
  CHECK(text("{\"w\":{\"dtype\":[\"F32\"]}}") == head + "tensor \"w\": a list where there must be none");
  CHECK(text("{\"w\":{\"shape\":{}}}") == head + "tensor \"w\": an object where there must be none");
  CHECK(text("{\"w\":{\"shape\":3}}") == head + "tensor \"w\": a number where there must be none");
  CHECK(text("{\"w\":{\"shape\":[[1]]}}") == head + "tensor \"w\": a list where there must be none");
  CHECK(text("{\"w\":{\"shape\":[\"1\"]}}") == head + "tensor \"w\": a text where there must be none");
  // names
  CHECK(text("{\"w\":" + entry("[1]", "[0,4]") + ",\"w\":" + entry("[2]", "[4,12]") + "}") == head + "two tensors named \"w\"");
  CHECK(text(R"({"w":{"dtype":"F32","dtype":"F32","shape":[3],"data_offsets":[0,12]}})") ==
        head + "tensor \"w\": \"dtype\" twice");
  CHECK(text(R"({"__metadata__":{"a":"1","a":"2"}})", 0) == head + "metadata: \"a\" twice");
  CHECK(text(R"({"__metadata__":{},"__metadata__":{}})", 0) == head + "two tensors named \"__metadata__\"");
  CHECK(text(R"({"\u001b[2J":1})") == head + "a tensor's name holds control characters");
  CHECK(text(R"({"\u009b":1})") == head + "a tensor's name holds control characters");
  // metadata
  CHECK(text(R"({"__metadata__":{"a":1}})", 0) == head + "metadata: a number where only texts may be");
  CHECK(text(R"({"__metadata__":{"a":null}})", 0) == head + "metadata: null where only texts may be");
  CHECK(text(R"({"__metadata__":{"a":{}}})", 0) == head + "metadata: an object where only texts may be");
  CHECK(text(R"({"__metadata__":{"a":["b"]}})", 0) == head + "metadata: a list where only texts may be");
  CHECK(text(R"({"__metadata__":[]})", 0).find("a list where") != std::string::npos);
  // numbers
  CHECK(one("[3]", "[0,12]") == "");
  CHECK(one("[3]", "[-12,0]") == head + "tensor \"w\": a negative number where there must be none");
  CHECK(one("[-3]", "[0,12]") == head + "tensor \"w\": a negative number where there must be none");
  CHECK(one("[3.0]", "[0,12]") == head + "tensor \"w\": a number that is not whole where there must be none");
  CHECK(one("[18446744073709551616]", "[0,12]") == head + "tensor \"w\": a number that is not whole where there must be none");
  CHECK(one("[1e999999999]", "[0,12]").find("no valid JSON at byte") != std::string::npos);
  CHECK(one("[18446744073709551615]", "[0,12]") == head + "tensor \"w\": shape holds 18446744073709551615");
  CHECK(one("[3]", "[0]") == head + "tensor \"w\": \"data_offsets\" holds 1 numbers, not 2");
  CHECK(one("[3]", "[0,12,12]") == head + "tensor \"w\": \"data_offsets\" holds more than 2 numbers");
  CHECK(one("[3]", "[0,12]", "Q8") == head + "tensor \"w\": unknown dtype \"Q8\"");
  CHECK(one("[3]", "[0,12]", "\\u001b[2J") == head + "tensor \"w\": unknown dtype \" [2J\"");
  // places
  CHECK(one("[2]", "[0,12]") == "damaged: tensor \"w\" of shape [2] and dtype F32 in 12 bytes");
  CHECK(one("[3]", "[0,12]", "F64") == "damaged: tensor \"w\" of shape [3] and dtype F64 in 12 bytes");
  CHECK(one("[25]", "[0,12]", "F4") == "damaged: tensor \"w\" of shape [25] and dtype F4 in 12 bytes");  // 100 bits
  CHECK(one("[2]", "[4,12]") == "damaged: tensor \"w\" lies at 4 to 12, expected to begin at 0");
  CHECK(one("[2]", "[0,8]") == "12 bytes of tensors, the header describes 8; the file was cut or altered");
  CHECK(one("[4]", "[0,16]") == "12 bytes of tensors, the header describes 16; the file was cut or altered");
  CHECK(one("[4294967296,4294967296,4294967296]", "[0,12]").find("is too large") != std::string::npos);
  CHECK(one("[4611686018427387904,4]", "[0,0]").find("is too large") != std::string::npos);  // 2^62 x 4 x 32 bits wraps to 0
  CHECK(text("{\"a\":" + entry("[2]", "[0,8]") + ",\"b\":" + entry("[2]", "[4,12]") + "}") ==
        "damaged: tensor \"b\" lies at 4 to 12, expected to begin at 8");  // overlap
  CHECK(text("{\"a\":" + entry("[1]", "[0,4]") + ",\"b\":" + entry("[1]", "[8,12]") + "}") ==
        "damaged: tensor \"b\" lies at 8 to 12, expected to begin at 4");  // hole
  CHECK(text("{\"a\":" + entry("[3]", "[0,12]") + ",\"b\":" + entry("[1]", "[12,8]") + "}").find("lies at 12 to 8") !=
        std::string::npos);
  // quantity
  std::string deep = "{\"w\":", rank, many = "{";
  for (int i = 0; i < 100'000; ++i) deep += i % 2 ? "[" : "{\"a\":";
  CHECK(text(deep).find(head) == 0);
  CHECK(text(std::string("{\"w\":{\"shape\":") + std::string(100'000, '[')) ==
        head + "tensor \"w\": a list where there must be none");
  for (int i = 0; i < 1000; ++i) rank += i ? ",1" : "1";
  CHECK(one("[" + rank + "]", "[0,4]") == head + "tensor \"w\": more than 8 dimensions");
  CHECK(one(std::string(1'000'000, '1').insert(0, "[") + "]", "[0,4]").find("damaged") == 0);  // a number of a million digits
  for (int i = 0; i <= 1 << 17; ++i) many += concat(i ? "," : "", "\"", i, "\":", entry("[0]", "[0,0]"));
  CHECK(text(many + "}", 0) == head + "more than 131072 tensors");
  many = "{\"__metadata__\":{";
  for (int i = 0; i <= 1 << 17; ++i) many += concat(i ? "," : "", "\"", i, "\":\"\"");
  CHECK(text(many + "}}", 0) == head + "more than 131072 entries in the metadata");
  CHECK(text("{\"" + std::string(1025, 'n') + "\":1}") == head + "a tensor's name of 1025 bytes; at most 1024");
#ifndef HV_ASAN  // AddressSanitizer keeps what was freed
  CHECK(peak_rss_kib() - before < 100 * 1024);
#endif
}

TEST_CASE("safetensors: every cut is refused, every flipped bit is refused or harmless") {
  const TempDir folder;
  const std::string path = folder / "a";
  const std::string good = with_length(kTwo, bytes_of<float>({1, 2, 3}));
  REQUIRE(refusal(path, good) == "");
  for (size_t length = 0; length < good.size(); ++length) REQUIRE(refusal(path, good.substr(0, length)) != "");
  CHECK(refusal(path, good + 'x') != "");
  size_t accepted = 0;
  for (size_t bit = 0; bit < 8 * (8 + std::strlen(kTwo)); ++bit) {
    std::string altered = good;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ 1 << bit % 8);
    if (refusal(path, altered) != "") continue;
    ++accepted;  // another name, key, text or a dtype of the same size
    const SafetensorsHeader header = read_safetensors_header(path);
    CHECK(header.tensors.size() + (header.metadata.empty() ? 1 : 0) >= 2);
  }
  CHECK(accepted < 60);
}

TEST_CASE(
    "safetensors: with a checksum every altered bit is refused, or changes nothing; another order of the header fits it") {
  const TempDir folder;
  const std::string path = folder / "a";
  write_safetensors(path, {{"k", "v"}}, {floats("a", {2}, {1, 2}), floats("b", {}, {3})});
  const std::string good = read_text(path);
  const auto kept = [&] {  // all that the file says, except the checksum
    SafetensorsHeader header = read_safetensors_header(path);
    std::string said;
    for (const NamedTensor& tensor : load_safetensors(path, everything)) {
      said += concat(tensor.name, tensor.value.shape(), tensor.value.data()[0], tensor.value.data()[tensor.value.numel() - 1]);
    }
    for (const auto& [key, value] : header.metadata) said += key.size() == 1 ? key + value : "";
    return said;
  };
  const std::string told = kept();
  size_t accepted = 0;
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string altered = good;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ 1 << bit % 8);
    fixtures::write_text(path, altered);
    const Caught caught = fixtures::error_of([&] { load_safetensors(path, everything); });
    REQUIRE((caught.code == 0 || caught.code == 3));
    if (caught.code != 0) continue;
    ++accepted;  // the name of the checksum's entry
    CHECK(kept() == told);
  }
  CHECK(accepted <= 8 * std::strlen("crc32c"));

  // The checksum covers what the header says. Bytes behind a NUL said nothing, and were not covered.
  uint64_t length = 0;
  std::memcpy(&length, good.data(), 8);
  fixtures::write_text(path, with_length(good.substr(8, length) + std::string("\0 more", 6), good.substr(8 + length)));
  CHECK(fixtures::error_of([&] { load_safetensors(path, everything); }).has("no valid JSON at byte"));

  std::string number = good;
  number.back() ^= 1;
  fixtures::write_text(path, number);
  CHECK_THROWS_WITH_AS(load_safetensors(path, everything),
                       doctest::Contains((path + ": its contents do not fit the checksum").c_str()), Error);
  CHECK(read_safetensors_header(path).tensors.size() == 2);  // the header alone does not show whether the numbers are damaged
  const std::string crc = good.substr(good.find("crc32c") + 9, 8);
  fixtures::write_text(path, with_length(R"({"b":{"shape":[],"data_offsets":[8,12],"dtype":"F32"},
      "a":{"dtype":"F32","data_offsets":[0,8],"shape":[2]}, "__metadata__":{"k":"v", "crc32c":")" +
                                             crc + R"("}})",
                                         good.substr(good.size() - 12)));
  CHECK(kept() == told);
}
