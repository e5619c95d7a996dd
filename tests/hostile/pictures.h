// Pictures that are cut, altered, or small files of large pictures: called by hostile.cpp.
#pragma once

namespace hv::hostile {

// Tries every `share`-th case. True if each was refused with a message or decoded, twice to the same pixels, in less than a
// second, and decoders at work together stayed within their budget of memory.
bool alter_pictures(long share);

}  // namespace hv::hostile
