#include "train/exchange/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <set>
#include <string_view>

#include "train/files/crc32c.h"
#include "train/files/file.h"
#include "train/io/json.h"
#include "train/io/printable.h"

namespace hv::train {
namespace {

constexpr int64_t kMaxHeader = 100'000'000, kChunk = 1 << 16;
constexpr size_t kMaxEntries = 1 << 17, kMaxName = 1024;
constexpr const char* kMetadata = "__metadata__";

// Bits per element, of every dtype that the format knows; 0: unknown.
int64_t bits_of(const std::string& dtype) {
  static const std::map<std::string, int64_t> bits = {{"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
                                                      {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
                                                      {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},
                                                      {"F32", 32}, {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  const auto found = bits.find(dtype);
  return found == bits.end() ? 0 : found->second;
}

// --- the header -------------------------------------------------------------------------------------------------------------

// Reads {"name": {"dtype": ..., "shape": [...], "data_offsets": [...]}, "__metadata__": {"key": "text"}} from events. Anything
// else is refused where it begins, so depth and memory stay small for every input.
class HeaderReader : public JsonEvents {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}
  SafetensorsHeader header;

  void open(char bracket) override {
    const bool list = depth_ == 2 && !in_metadata_ && (field_ == "shape" || field_ == "data_offsets");
    if (bracket != (list ? '[' : '{') || depth_ > 2 || (depth_ == 2 && !list))
      unexpected(bracket == '{' ? "an object" : "a list");
    if (++depth_ != 2) return;
    in_metadata_ = name_ == kMetadata;
    if (in_metadata_) return;
    if (header.tensors.size() == kMaxEntries) refuse("more than ", kMaxEntries, " tensors");
    header.tensors.push_back({name_, "", {}, 0, 0});
    offsets_ = 0;
    fields_.clear();
  }
  void close() override {
    if (depth_ == 2 && !in_metadata_) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (fields_.count(field) == 0) refuse(where(), " lacks \"", field, '"');
      }
      if (offsets_ != 2) refuse(where(), ": \"data_offsets\" holds ", offsets_, " numbers, not 2");
    }
    --depth_;
  }
  void key(const std::string& text) override {
    if (depth_ == 1) {
      if (text.size() > kMaxName) refuse("a tensor's name of ", text.size(), " bytes; at most ", kMaxName);
      if (!is_printable(text)) refuse("a tensor's name holds control characters");
      if (!names_.insert(text).second) refuse("two tensors named \"", text, '"');
      name_ = text;
    } else if (in_metadata_) {
      if (header.metadata.size() == kMaxEntries) refuse("more than ", kMaxEntries, " entries in the metadata");
      if (!header.metadata.emplace(text, "").second) refuse("metadata: \"", shown(text), "\" twice");
      field_ = text;
    } else {
      if (text != "dtype" && text != "shape" && text != "data_offsets") refuse(where(), ": unknown entry \"", shown(text), '"');
      if (!fields_.insert(text).second) refuse(where(), ": \"", text, "\" twice");
      field_ = text;
    }
  }
  void text(const std::string& text) override {
    if (depth_ == 2 && in_metadata_) {
      header.metadata[field_] = text;
    } else if (depth_ == 2 && field_ == "dtype") {
      if (bits_of(text) == 0) refuse(where(), ": unknown dtype \"", shown(text), '"');
      header.tensors.back().dtype = text;
    } else {
      unexpected("a text");
    }
  }
  void number(uint64_t value) override {
    if (depth_ != 3) unexpected("a number");
    if (value > uint64_t{1} << 62) refuse(where(), ": ", field_, " holds ", value);
    const int64_t n = static_cast<int64_t>(value);
    StoredTensor& tensor = header.tensors.back();
    if (field_ == "shape") {
      if (tensor.shape.size() == kMaxRank) refuse(where(), ": more than ", kMaxRank, " dimensions");
      tensor.shape.push_back(n);
    } else {
      if (offsets_ == 2) refuse(where(), ": \"data_offsets\" holds more than 2 numbers");
      int64_t& offset = offsets_ == 0 ? tensor.begin : tensor.end;
      offset = n;
      ++offsets_;
    }
  }
  void other(const char* what) override {
    // "__metadata__": null is no metadata, as the reference library reads it.
    if (depth_ != 1 || name_ != kMetadata || std::string_view(what) != "null") unexpected(what);
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(Parts&&... parts) const {
    fail(Fault::input, path_, ": damaged safetensors header: ", parts...);
  }
  [[noreturn]] void unexpected(const char* what) const {
    std::string place = in_metadata_ ? "metadata" : where();
    if (depth_ == 0) place = "the beginning";
    refuse(place, ": ", what, depth_ == 2 && in_metadata_ ? " where only texts may be" : " where there must be none");
  }
  std::string where() const { return concat("tensor \"", name_, '"'); }
  static std::string shown(const std::string& text) { return printable(text.substr(0, 64)); }

  const std::string& path_;
  int depth_ = 0, offsets_ = 0;
  bool in_metadata_ = false;
  std::string name_, field_;
  std::set<std::string> names_, fields_;
};

// Each tensor is as long as its shape and dtype say, begins where the one before ends, and the last ends with the file. So
// every byte belongs to exactly one tensor.
void check_places(std::vector<StoredTensor>& tensors, int64_t bytes, const std::string& path) {
  std::sort(tensors.begin(), tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  int64_t position = 0;
  for (const StoredTensor& tensor : tensors) {
    HV_CHECK_INPUT(tensor.begin == position && tensor.end >= tensor.begin, path, ": damaged: tensor \"", tensor.name,
                   "\" lies at ", tensor.begin, " to ", tensor.end, ", expected to begin at ", position);
    int64_t size = bits_of(tensor.dtype);
    for (const int64_t d : tensor.shape) {
      HV_CHECK_INPUT(!__builtin_mul_overflow(size, d, &size), path, ": damaged: tensor \"", tensor.name, "\" of shape ",
                     tensor.shape, " is too large");
    }
    HV_CHECK_INPUT(size % 8 == 0 && size / 8 == tensor.end - tensor.begin, path, ": damaged: tensor \"", tensor.name,
                   "\" of shape ", tensor.shape, " and dtype ", tensor.dtype, " in ", tensor.end - tensor.begin, " bytes");
    position = tensor.end;
  }
  HV_CHECK_INPUT(position == bytes, path, ": ", bytes, " bytes of tensors, the header describes ", position,
                 "; the file was cut or altered");
}

SafetensorsHeader read_header(InputFile& file, const std::string& path) {
  uint64_t length = 0;
  HV_CHECK_INPUT(file.size() >= 8 + 2, path, ": ", file.size(), " bytes are too few for a safetensors file");
  file.read(&length, 8);
  HV_CHECK_INPUT(length <= static_cast<uint64_t>(kMaxHeader), path, ": not a safetensors file: a header of ", length,
                 " bytes; at most ", kMaxHeader);
  HV_CHECK_INPUT(static_cast<int64_t>(length) <= file.size() - 8, path, ": a header of ", length, " bytes in a file of ",
                 file.size(), "; the file was cut");
  std::string text(length, '\0');
  file.read(text.data(), length);
  HV_CHECK_INPUT(!text.empty() && text[0] == '{', path, ": not a safetensors file: its header does not begin with {");
  HeaderReader reader(path);
  parse_json(text, concat(path, ": damaged safetensors header"), reader);
  const size_t end = text.find_last_not_of(' ');
  HV_CHECK_INPUT(text[end] == '}', path, ": damaged safetensors header: byte ", end + 1, ": only spaces may follow the last }");
  check_places(reader.header.tensors, file.size() - file.position(), path);
  return std::move(reader.header);
}

std::string header_json(const SafetensorsHeader& header) {
  Json json{{kMetadata, header.metadata}};
  for (const StoredTensor& tensor : header.tensors) {
    json.add(tensor.name, {{"dtype", tensor.dtype},
                           {"shape", Json::list(tensor.shape)},
                           {"data_offsets", Json::list(std::vector{tensor.begin, tensor.end})}});
  }
  return json.text();
}

// --- the checksum -----------------------------------------------------------------------------------------------------------

// Of the header: each text as its length and its bytes, each number as u64, entries and tensors in the order of their names.
// The tensors' bytes follow.
Crc32c checksum_of(const SafetensorsHeader& header) {
  Crc32c crc;
  const auto number = [&](size_t n) { crc.add(&n, sizeof n); };
  const auto text = [&](const std::string& s) {
    number(s.size());
    crc.add(s.data(), s.size());
  };
  for (const auto& [key, value] : header.metadata) {
    if (key == kSafetensorsChecksum) continue;
    text(key);
    text(value);
  }
  std::map<std::string, const StoredTensor*> tensors;
  for (const StoredTensor& tensor : header.tensors) tensors[tensor.name] = &tensor;
  for (const auto& [name, tensor] : tensors) {
    text(name);
    text(tensor->dtype);
    number(tensor->shape.size());
    for (const int64_t d : tensor->shape) number(static_cast<size_t>(d));
    number(static_cast<size_t>(tensor->begin));
    number(static_cast<size_t>(tensor->end));
  }
  return crc;
}

std::string hex(uint32_t value) {
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", value);
  return digits;
}

// --- numbers ----------------------------------------------------------------------------------------------------------------

float from_half(uint16_t h) {
  const uint32_t sign = uint32_t{h} >> 15 << 31, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 0) return (sign ? -1.0F : 1.0F) * static_cast<float>(mantissa) * 0x1p-24F;  // zero and subnormal numbers
  return std::bit_cast<float>(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13);
}

template <class Stored, class Convert>
void convert(const std::vector<char>& bytes, int64_t count, Real* out, const Convert& value) {
  for (int64_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * static_cast<int64_t>(sizeof stored), sizeof stored);
    out[i] = static_cast<Real>(value(stored));
  }
}

void convert(const std::string& dtype, const std::vector<char>& bytes, int64_t count, Real* out) {
  if (dtype == "F32") convert<float>(bytes, count, out, [](float x) { return x; });
  if (dtype == "F64") convert<double>(bytes, count, out, [](double x) { return x; });
  if (dtype == "F16") convert<uint16_t>(bytes, count, out, from_half);
  if (dtype == "BF16") convert<uint16_t>(bytes, count, out, [](uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); });
}

}  // namespace

SafetensorsHeader read_safetensors_header(const std::string& path) {
  InputFile file(path);
  return read_header(file, path);
}

std::vector<NamedTensor> load_safetensors(const std::string& path, const std::function<bool(const std::string&)>& wanted) {
  InputFile file(path);
  const SafetensorsHeader header = read_header(file, path);
  std::vector<NamedTensor> tensors;
  std::vector<char> buffer(static_cast<size_t>(std::min(file.size(), kChunk)));
  Crc32c crc = checksum_of(header);
  for (const StoredTensor& stored : header.tensors) {
    const bool keep = wanted(stored.name);
    const bool known = stored.dtype == "F32" || stored.dtype == "F64" || stored.dtype == "F16" || stored.dtype == "BF16";
    HV_CHECK_INPUT(!keep || known, path, ": tensor \"", stored.name, "\" has dtype ", stored.dtype,
                   "; F32, F64, F16 and BF16 can be read: convert it before saving");
    if (keep) tensors.push_back({stored.name, Tensor::empty(stored.shape)});
    const int64_t element = bits_of(stored.dtype) / 8;
    for (int64_t done = 0, bytes = stored.end - stored.begin; done < bytes;) {
      const int64_t n = std::min(bytes - done, kChunk);
      file.read(buffer.data(), static_cast<size_t>(n));
      crc.add(buffer.data(), static_cast<size_t>(n));
      if (keep) convert(stored.dtype, buffer, n / element, tensors.back().value.mutable_data() + done / element);
      done += n;
    }
  }
  const auto stored = header.metadata.find(kSafetensorsChecksum);
  HV_CHECK_INPUT(stored == header.metadata.end() || same_crc(stored->second == hex(crc.value()), true), path,
                 ": its contents do not fit the checksum in its metadata (", kSafetensorsChecksum,
                 "): the file is damaged; a program "
                 "that changes it on purpose must drop that entry");
  return tensors;
}

void write_safetensors(const std::string& path, Metadata metadata, std::vector<TensorToWrite> tensors) {
  const auto order = [](const TensorToWrite& t) { return std::pair(-bits_of(t.dtype), std::cref(t.name).get()); };
  std::sort(tensors.begin(), tensors.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  metadata[kSafetensorsChecksum] = hex(0);  // until the bytes are known
  SafetensorsHeader header{std::move(metadata), {}};
  std::vector<StoredTensor>& stored = header.tensors;
  int64_t position = 0;
  for (const TensorToWrite& tensor : tensors) {
    const int64_t bytes = numel(tensor.shape) * bits_of(tensor.dtype) / 8;
    stored.push_back({tensor.name, tensor.dtype, tensor.shape, position, position + bytes});
    position += bytes;
  }
  std::string text = header_json(header);
  const std::string entry = concat('"', kSafetensorsChecksum, "\":\"");  // in a text its quotes would be escaped
  const size_t digits = text.find(entry) + entry.size();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(&length, 8);
  file.write(text.data(), text.size());
  Crc32c crc = checksum_of(header);
  for (size_t i = 0; i < tensors.size(); ++i) {
    int64_t left = stored[i].end - stored[i].begin;
    tensors[i].write([&](const void* data, size_t bytes) {
      file.write(data, bytes);
      crc.add(data, bytes);
      left -= static_cast<int64_t>(bytes);
    });
    HV_CHECK(left == 0, "safetensors: tensor ", tensors[i].name, " wrote ", -left, " bytes too many");
  }
  file.write_over(static_cast<int64_t>(sizeof length + digits), hex(crc.value()).data(), 8);
  file.commit();
}

bool looks_like_safetensors(const std::string& path) {
  InputFile file(path);
  struct {
    uint64_t length;
    char first;
  } begin{};
  if (file.size() < 10) return false;
  file.read(&begin.length, 8);
  file.read(&begin.first, 1);
  return begin.first == '{' && begin.length <= static_cast<uint64_t>(kMaxHeader);
}

}  // namespace hv::train
