# Compiler flags, the libraries we use, and the two functions that describe every part of the tree.
#
#   cvm_module(NAME DEPS other modules)   static library of all *.c in this folder, except test-*.c and fuzz-*.c;
#                                         each test-x.c becomes a cmocka test, each fuzz-x.c a libFuzzer target
#   cvm_program(NAME HOST|GUEST SOURCES … DEPS modules)
#
# Modules do not name OpenSSL or jansson: programs do. Host programs link them dynamically, guest programs are static-PIE
# and link the archives, so that the measured image needs no loader and no shared library.

find_package(PkgConfig REQUIRED)
pkg_check_modules(CRYPTO REQUIRED libcrypto>=3.0)
pkg_check_modules(JANSSON REQUIRED jansson>=2.14)

add_compile_options(-Wall -Wextra -Werror=implicit-function-declaration -Werror=incompatible-pointer-types
    -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef -Wformat=2 -Wvla
    -Werror=return-type -Werror=unused-result -fno-strict-aliasing -fstack-protector-strong)
add_compile_definitions(_GNU_SOURCE CVM_VERSION="${PROJECT_VERSION}")
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-D_FORTIFY_SOURCE=2)
endif()
# Nothing of the build folder may end up in a program: the guest image must come out the same everywhere.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)

set(CVM_HOST_LIBS -lcrypto -ljansson)
set(CVM_GUEST_LIBS -l:libcrypto.a -l:libjansson.a)
set(CVM_PROGRAM_DIR ${CMAKE_BINARY_DIR}/bin)

function(cvm_module NAME)
    cmake_parse_arguments(M "" "" "DEPS;EXCLUDE" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.c)
    file(GLOB tests CONFIGURE_DEPENDS test-*.c)
    file(GLOB fuzzers CONFIGURE_DEPENDS fuzz-*.c)
    if(tests)
        list(REMOVE_ITEM sources ${tests})
    endif()
    if(fuzzers)
        list(REMOVE_ITEM sources ${fuzzers})
    endif()
    foreach(x ${M_EXCLUDE})
        list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${x})
    endforeach()
    if(NOT sources)
        add_library(${NAME} INTERFACE)
        target_link_libraries(${NAME} INTERFACE ${M_DEPS})
    else()
        add_library(${NAME} STATIC ${sources})
        target_link_libraries(${NAME} PUBLIC ${M_DEPS})
    endif()
    if(CVM_TESTS)
        foreach(t ${tests})
            get_filename_component(t_name ${t} NAME_WE)
            set(t_target ${NAME}-${t_name})
            add_executable(${t_target} ${t})
            target_link_libraries(${t_target} ${NAME} ${M_DEPS} -lcmocka ${CVM_HOST_LIBS} m)
            target_compile_definitions(${t_target} PRIVATE
                CVM_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CVM_BINARY_DIR="${CMAKE_BINARY_DIR}")
            add_test(NAME ${t_target} COMMAND ${t_target})
            set_tests_properties(${t_target} PROPERTIES LABELS unit)
        endforeach()
    endif()
    if(CVM_FUZZ)
        foreach(f ${fuzzers})
            get_filename_component(f_name ${f} NAME_WE)
            add_executable(${NAME}-${f_name} ${f})
            target_link_options(${NAME}-${f_name} PRIVATE -fsanitize=fuzzer)
            target_link_libraries(${NAME}-${f_name} ${NAME} ${M_DEPS} ${CVM_HOST_LIBS} m)
        endforeach()
    endif()
endfunction()

function(cvm_program NAME KIND)
    cmake_parse_arguments(P "" "" "SOURCES;DEPS;LIBS" ${ARGN})
    add_executable(${NAME} ${P_SOURCES})
    set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CVM_PROGRAM_DIR})
    # Sanitizers have no static run time: under them guest programs are linked as host programs are.
    if(KIND STREQUAL "GUEST" AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
        target_link_options(${NAME} PRIVATE -static-pie -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
        # The libraries come behind every module that uses them: core/base asks for them by this property.
        set_target_properties(${NAME} PROPERTIES CVM_GUEST_PROGRAM ON)
        target_link_libraries(${NAME} ${P_DEPS} ${P_LIBS})
    else()
        target_link_options(${NAME} PRIVATE -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
        target_link_libraries(${NAME} ${P_DEPS} ${P_LIBS})
    endif()
endfunction()
