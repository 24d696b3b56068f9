import pytest
import torch

from stages.proxy.network.device import (
    choose_device,
    keep_freed_memory,
    one_thread,
    quick_products,
    usable_cores,
)


def test_cpu_is_chosen_with_its_reason():
    device, dtype, reason = choose_device("cpu")
    assert (device.type, dtype) == ("cpu", torch.float32)
    assert reason == "device cpu (asked for), float32, one thread"
    assert choose_device("cpu", "bfloat16")[1] == torch.bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_without_cuda_auto_means_cpu():
    assert choose_device()[2] == "device cpu (no CUDA device), float32, one thread"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_is_chosen_with_its_reason():
    device, _, reason = choose_device()
    assert device.type == "cuda"
    assert torch.cuda.get_device_name() in reason


def test_quick_products_keep_fp32_accuracy_and_leave_the_setting_alone():
    before = torch.backends.mkldnn.matmul.fp32_precision
    a, b = torch.randn(50, 300), torch.randn(300, 40)
    with quick_products(torch.float32):
        found = a @ b
    assert torch.allclose(found.double(), a.double() @ b.double(), atol=1e-4)
    with pytest.raises(ZeroDivisionError), quick_products(torch.bfloat16):
        raise ZeroDivisionError
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_keeping_freed_memory_can_be_asked_twice():
    keep_freed_memory()
    keep_freed_memory()


def test_one_thread_is_put_back():
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError), one_thread():
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


def test_workers_follow_the_cores():
    n_workers, reason = usable_cores()
    assert n_workers >= 1
    assert reason.startswith(f"{n_workers} workers: ")
