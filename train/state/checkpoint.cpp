#include "train/state/checkpoint.h"

#include <algorithm>
#include <cereal/archives/portable_binary.hpp>
#include <cstring>
#include <set>
#include <sstream>

#include "train/files/crc32c.h"
#include "train/files/file.h"

namespace hv::train {
namespace {

constexpr char kMagic[8] = {'H', 'Y', 'D', 'R', 'A', 'V', 'I', 'T'};
constexpr int64_t kMaxHeader = 1 << 20, kMaxText = 4096, kPrefix = 16, kTrailer = 24, kChunk = 1 << 16;
static_assert(sizeof(float) == 4);

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// --- the header as a cereal archive: cereal handles fixed-width numbers and bytes alone; sizes are checked here first --------

class Writer {
 public:
  explicit Writer(std::ostream& out) : archive_(out) {}
  void put(uint64_t value) { archive_(value); }
  void put(int64_t value) { archive_(value); }
  void put(double value) { archive_(value); }
  void put(const std::string& text) {
    HV_CHECK_INPUT(static_cast<int64_t>(text.size()) <= kMaxText, "checkpoint: text of ", text.size(), " bytes; at most ",
                   kMaxText);
    put(static_cast<uint64_t>(text.size()));
    archive_(cereal::binary_data(const_cast<char*>(text.data()), text.size()));
  }
  template <class Value>
  void put(const std::map<std::string, Value>& entries) {
    put(static_cast<uint64_t>(entries.size()));
    for (const auto& [key, value] : entries) {
      put(key);
      put(value);
    }
  }

 private:
  cereal::PortableBinaryOutputArchive archive_;
};

class Reader {
 public:
  Reader(const std::string& bytes, const std::string& path) : in_(bytes), archive_(in_), size_(bytes.size()), path_(path) {}
  int64_t left() { return in_.good() ? static_cast<int64_t>(size_) - static_cast<int64_t>(in_.tellg()) : 0; }
  void get(uint64_t& value) { archive_(value); }
  void get(int64_t& value) { archive_(value); }
  void get(double& value) { archive_(value); }
  // A count is accepted only if that many entries of at least `bytes` each fit into what is left.
  uint64_t count(int64_t bytes) {
    uint64_t value = 0;
    get(value);
    HV_CHECK_INPUT(value <= static_cast<uint64_t>(left() / bytes), path_, ": damaged header: it counts ", value, " entries in ",
                   left(), " bytes");
    return value;
  }
  void get(std::string& text) {
    const uint64_t bytes = count(1);
    HV_CHECK_INPUT(bytes <= static_cast<uint64_t>(kMaxText), path_, ": damaged header: text of ", bytes, " bytes");
    text.resize(bytes);
    archive_(cereal::binary_data(text.data(), text.size()));
    // Texts reach the terminal: no control characters.
    HV_CHECK_INPUT(std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }), path_,
                   ": damaged header: control characters in a text");
  }
  template <class Value>
  void get(std::map<std::string, Value>& entries) {
    for (uint64_t i = count(16); i > 0; --i) {
      std::string key;
      get(key);
      get(entries[key]);
    }
  }

 private:
  std::istringstream in_;
  cereal::PortableBinaryInputArchive archive_;
  size_t size_;
  const std::string& path_;
};

std::string pack(const Header& header) {
  std::ostringstream out(std::ios::binary);
  {
    Writer writer(out);
    writer.put(header.model);
    writer.put(header.options);
    writer.put(header.provenance);
    writer.put(header.counters);
    writer.put(header.metrics);
    writer.put(header.seed);
    writer.put(static_cast<uint64_t>(header.class_names.size()));
    for (const std::string& name : header.class_names) writer.put(name);
    for (int c = 0; c < 3; ++c) {
      writer.put(header.mean[c]);
      writer.put(header.std[c]);
    }
    writer.put(static_cast<uint64_t>(header.tensors.size()));
    for (const TensorEntry& entry : header.tensors) {
      writer.put(entry.name);
      writer.put(static_cast<uint64_t>(entry.shape.size()));
      for (const int64_t size : entry.shape) writer.put(size);
      writer.put(static_cast<uint64_t>(entry.crc));
    }
  }
  HV_CHECK_INPUT(out.good() && static_cast<int64_t>(out.str().size()) <= kMaxHeader, "checkpoint: header of ", out.str().size(),
                 " bytes; at most ", kMaxHeader, ": shorten the names of the ", header.class_names.size(), " classes");
  return out.str();
}

Header unpack(const std::string& bytes, const std::string& path) {
  Header header;
  Reader reader(bytes, path);
  reader.get(header.model);
  reader.get(header.options);
  reader.get(header.provenance);
  reader.get(header.counters);
  reader.get(header.metrics);
  reader.get(header.seed);
  header.class_names.resize(reader.count(8));
  for (std::string& name : header.class_names) reader.get(name);
  for (int c = 0; c < 3; ++c) {
    reader.get(header.mean[c]);
    reader.get(header.std[c]);
  }
  header.tensors.resize(reader.count(24));
  std::set<std::string> names;
  for (TensorEntry& entry : header.tensors) {
    reader.get(entry.name);
    HV_CHECK_INPUT(names.insert(entry.name).second, path, ": damaged header: two tensors named ", entry.name);
    const uint64_t rank = reader.count(8);
    HV_CHECK_INPUT(rank <= static_cast<uint64_t>(kMaxRank), path, ": damaged header: tensor ", entry.name, " of rank ", rank);
    int64_t elements = 1;
    for (uint64_t d = 0; d < rank; ++d) {
      int64_t size = 0;
      reader.get(size);
      HV_CHECK_INPUT(size >= 0 && elements <= (int64_t{1} << 40) / std::max<int64_t>(size, 1), path,
                     ": damaged header: tensor ", entry.name, " has a dimension of ", size);
      entry.shape.push_back(size);
      elements *= std::max<int64_t>(size, 1);
    }
    uint64_t crc = 0;
    reader.get(crc);
    entry.crc = static_cast<uint32_t>(crc);
  }
  HV_CHECK_INPUT(reader.left() == 0, path, ": damaged header: ", reader.left(), " bytes too many");
  return header;
}

// --- the file ---------------------------------------------------------------------------------------------------------------

int64_t data_begin(int64_t header_bytes) { return aligned(kPrefix + header_bytes + 4); }

int64_t file_bytes(int64_t header_bytes, const std::vector<TensorEntry>& tensors) {
  int64_t total = data_begin(header_bytes);
  for (const TensorEntry& entry : tensors) total += aligned(4 * numel(entry.shape));  // < 2^16 * 2^43: no overflow
  return total + kTrailer;
}

// The elements as float32, piece by piece.
template <class Piece>
void each_piece(const Tensor& tensor, Piece&& piece) {
  std::array<float, kChunk / 4> buffer{};
  const Real* data = tensor.data();
  for (int64_t left = tensor.numel(); left > 0;) {
    const int64_t n = std::min<int64_t>(left, kChunk / 4);
    std::copy(data, data + n, buffer.begin());
    piece(buffer.data(), static_cast<size_t>(4 * n));
    data += n;
    left -= n;
  }
}

// Reads through a file, keeping the checksum of all it has seen.
struct Scanner {
  explicit Scanner(const Place& place) : file(place) {}
  void read(void* data, size_t bytes) {
    file.read(data, bytes);
    all.add(data, bytes);
  }
  // Padding must be zero, so that every byte of a file is verified.
  void skip_padding(const std::string& path) {
    char zeros[64] = {};
    const size_t bytes = static_cast<size_t>(aligned(file.position()) - file.position());
    read(zeros, bytes);
    HV_CHECK_INPUT(std::all_of(zeros, zeros + bytes, [](char c) { return c == 0; }), path, ": damaged: padding before byte ",
                   file.position(), " is not zero");
  }
  InputFile file;
  Crc32c all;
};

Header scan_header(Scanner& scanner, const std::string& path) {
  const int64_t size = scanner.file.size();
  char magic[8];
  uint32_t format = 0, bytes = 0, crc = 0;
  HV_CHECK_INPUT(size >= kPrefix + 4 + kTrailer, path, ": ", size, " bytes are too few for a checkpoint; the file was cut");
  scanner.read(magic, 8);
  HV_CHECK_INPUT(std::memcmp(magic, kMagic, 8) == 0, path,
                 ": not a checkpoint: it does not begin with HYDRAVIT (hydravit import makes one from a safetensors file)");
  scanner.read(&format, 4);
  HV_CHECK_INPUT(format == kCheckpointFormat, path, ": checkpoint format ", format, "; this program reads format ",
                 kCheckpointFormat);
  scanner.read(&bytes, 4);
  HV_CHECK_INPUT(bytes <= kMaxHeader && data_begin(bytes) + kTrailer <= size, path, ": damaged: a header of ", bytes,
                 " bytes in a file of ", size);
  std::string text(bytes, '\0');
  scanner.read(text.data(), bytes);
  const uint32_t expected = scanner.all.value();
  scanner.read(&crc, 4);
  HV_CHECK_INPUT(same_crc(crc, expected), path, ": damaged: the header's checksum differs");
  Header header;
  try {
    header = unpack(text, path);
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {  // cereal throws its own type if an archive ends too early
    fail(Fault::input, path, ": damaged header: it ends too early");
  }
  const int64_t wanted = file_bytes(bytes, header.tensors);
  HV_CHECK_INPUT(size == wanted, path, ": ", size, " bytes, the header describes ", wanted, "; the file was cut or altered");
  return header;
}

}  // namespace

void check_header(Header header, const std::vector<NamedTensor>& tensors) {
  header.tensors.clear();
  for (const auto& [name, value] : tensors) header.tensors.push_back({name, value.shape(), 0});
  pack(header);
}

void save_checkpoint(const Place& place, Header header, const std::vector<NamedTensor>& tensors,
                     const std::vector<Place>& keep) {
  header.tensors.clear();
  for (const auto& [name, value] : tensors) {
    HV_CHECK(value.is_contiguous(), "checkpoint: tensor ", name, " is not contiguous");
    Crc32c crc;
    each_piece(value, [&](const void* data, size_t bytes) { crc.add(data, bytes); });
    header.tensors.push_back({name, value.shape(), crc.value()});
  }
  const std::string text = pack(header);

  AtomicFile file(place);
  Crc32c all;
  int64_t position = 0;
  const auto write = [&](const void* data, size_t bytes) {
    file.write(data, bytes);
    all.add(data, bytes);
    position += static_cast<int64_t>(bytes);
  };
  const auto pad = [&] {
    constexpr char zeros[64] = {};
    write(zeros, static_cast<size_t>(aligned(position) - position));
  };
  const uint32_t prefix[2] = {kCheckpointFormat, static_cast<uint32_t>(text.size())};
  write(kMagic, 8);
  write(prefix, 8);
  write(text.data(), text.size());
  const uint32_t header_crc = all.value();
  write(&header_crc, 4);
  pad();
  for (const NamedTensor& tensor : tensors) {
    each_piece(tensor.value, write);
    pad();
  }
  const uint64_t trailer[2] = {static_cast<uint64_t>(position + kTrailer), all.value()};
  file.write(trailer, 16);
  file.write(kMagic, 8);
  file.commit(keep);
}

void check_header(const Header& header) {
  try {
    unpack(pack(header), "checkpoint");
  } catch (const Error& error) {
    fail(Fault::failure, error.what(),
         "; this run could not be saved: are there too many classes, or a name or path too long?");
  }
}

Header read_header(const Place& place) {
  Scanner scanner(place);
  return scan_header(scanner, place.text());
}

Checkpoint load_checkpoint(const Place& place, const std::function<bool(const std::string&)>& wanted) {
  const std::string path = place.text();
  Scanner scanner(place);
  Checkpoint checkpoint{scan_header(scanner, path), {}, path};
  scanner.skip_padding(path);
  std::vector<float> buffer(kChunk / 4);
  for (const TensorEntry& entry : checkpoint.header.tensors) {
    const bool keep = !wanted || wanted(entry.name);
    const Tensor tensor = keep ? Tensor::empty(entry.shape) : Tensor();
    Crc32c crc;
    const int64_t begin = scanner.file.position(), count = numel(entry.shape);
    for (int64_t done = 0; done < count;) {
      const int64_t n = std::min<int64_t>(count - done, kChunk / 4);
      scanner.read(buffer.data(), static_cast<size_t>(4 * n));
      crc.add(buffer.data(), static_cast<size_t>(4 * n));
      if (keep) std::copy(buffer.begin(), buffer.begin() + n, tensor.mutable_data() + done);
      done += n;
    }
    HV_CHECK_INPUT(same_crc(entry.crc, crc.value()), path, ": damaged: tensor ", entry.name, " at byte ", begin,
                   ": its checksum differs");
    scanner.skip_padding(path);
    if (keep) checkpoint.tensors.push_back({entry.name, tensor});
  }
  const uint64_t expected = scanner.all.value();
  uint64_t trailer[2] = {};
  char magic[8];
  scanner.read(trailer, 16);
  scanner.read(magic, 8);
  HV_CHECK_INPUT(trailer[0] == static_cast<uint64_t>(scanner.file.size()) && std::memcmp(magic, kMagic, 8) == 0, path,
                 ": damaged: the last 24 bytes are not a checkpoint's end");
  HV_CHECK_INPUT(same_crc(trailer[1], expected), path, ": damaged: the checksum of the whole file differs");
  return checkpoint;
}

const Tensor& Checkpoint::tensor(const std::string& name) const {
  for (const NamedTensor& entry : tensors) {
    if (entry.name == name) return entry.value;
  }
  fail(Fault::input, path, ": has no tensor ", name, "; is it a checkpoint of another model?");
}

bool is_checkpoint(const Place& place) {
  char magic[sizeof kMagic] = {};
  try {
    InputFile file(place);
    if (file.size() < std::ssize(magic)) return false;
    file.read(magic, sizeof magic);
  } catch (const Error&) {
    return false;
  }
  return std::memcmp(magic, kMagic, sizeof magic) == 0;
}

}  // namespace hv::train
